#include "tests/unit/worker/small_coordinator.h"

#include <algorithm>
#include <cstring>

#include <gtest/gtest.h>

#include "rpc/channel.h"
#include "rpc/status_conversion.h"

namespace enigma::worker {
namespace {

template <typename T>
T OrDie(absl::StatusOr<T> value) {
  if (!value.ok()) {
    ADD_FAILURE() << value.status();
    std::abort();
  }
  return *std::move(value);
}

}  // namespace

SmallCoordinator::SmallCoordinator(const std::string& folder, const std::string& model_path)
    : authority_(OrDie(CertificateAuthority::LoadOrCreate(folder))),
      identity_(std::make_unique<NodeIdentity>(OrDie(authority_->Issue("coordinator-1", Role::kCoordinator)))),
      token_(OrDie(MakeJoinToken(authority_->cluster_id(), authority_->pin(), absl::Now() + absl::Hours(1)))) {
  content_->file = OrDie(engine::GgufFile::Open(model_path));
  manifest_ = OrDie(engine::BuildManifest(*content_->file, "test"));
  content_->manifest = &manifest_;
  ServerOptions options;
  options.host = "127.0.0.1";
  options.identity = identity_.get();
  options.services = {this, content_.get()};
  server_ = OrDie(RpcServer::Start(options));
}

SmallCoordinator::~SmallCoordinator() { server_->Shutdown(absl::ZeroDuration()); }

v1::NodeAddress SmallCoordinator::address() const {
  v1::NodeAddress address;
  address.set_node_id(identity_->node_id);
  address.add_endpoints(endpoint());
  return address;
}

std::vector<v1::WorkerHello> SmallCoordinator::AwaitHellos(size_t count) {
  absl::MutexLock lock(&mutex_);
  const auto there = [&] { return hellos_.size() >= count; };
  EXPECT_TRUE(mutex_.AwaitWithTimeout(absl::Condition(&there), absl::Minutes(1)));
  std::vector<v1::WorkerHello> hellos;
  for (const auto& [id, hello] : hellos_) hellos.push_back(hello);
  return hellos;
}

v1::Capability SmallCoordinator::AwaitCapability(const std::string& node_id) {
  absl::MutexLock lock(&mutex_);
  const auto there = [&] { return capabilities_.contains(node_id); };
  EXPECT_TRUE(mutex_.AwaitWithTimeout(absl::Condition(&there), absl::Minutes(1)));
  return capabilities_[node_id];
}

uint64_t SmallCoordinator::heartbeats(const std::string& node_id) {
  absl::MutexLock lock(&mutex_);
  return heartbeats_[node_id];
}

bool SmallCoordinator::AwaitLeaving(const std::string& node_id) {
  absl::MutexLock lock(&mutex_);
  const auto there = [&] { return leaving_.contains(node_id); };
  return mutex_.AwaitWithTimeout(absl::Condition(&there), absl::Minutes(1));
}

bool SmallCoordinator::AwaitFailure() {
  absl::MutexLock lock(&mutex_);
  const auto there = [&] { return !failures_.empty(); };
  return mutex_.AwaitWithTimeout(absl::Condition(&there), absl::Minutes(1));
}

std::unique_ptr<v1::Worker::Stub> SmallCoordinator::Dial(const v1::WorkerHello& worker) const {
  return v1::Worker::NewStub(MakeChannel("127.0.0.1:" + std::to_string(worker.grpc_port()), identity_.get(),
                                         ExpectedPeer::Node(worker.node_id())));
}

void SmallCoordinator::OrderToLeave(const std::string& why) {
  absl::MutexLock lock(&mutex_);
  leave_ = why;
}

void SmallCoordinator::RefuseAttendance(const grpc::Status& why) {
  absl::MutexLock lock(&mutex_);
  refusal_ = why;
}

grpc::Status SmallCoordinator::Join(grpc::ServerContext* /*context*/, const v1::JoinRequest* request,
                                    v1::JoinReply* reply) {
  const auto answer =
      AnswerJoin(*request, *authority_, [this](const std::string& id) -> absl::StatusOr<JoinTokenRecord> {
        if (id != token_.record.token_id) return absl::NotFoundError("no such token");
        return token_.record;
      });
  if (answer.ok()) *reply = *answer;
  return ToGrpc(answer.status());
}

grpc::Status SmallCoordinator::Attend(grpc::ServerContext* /*context*/,
                                      grpc::ServerReaderWriter<v1::CoordinatorOrder, v1::WorkerReport>* stream) {
  {
    absl::MutexLock lock(&mutex_);
    if (!refusal_.ok()) return refusal_;
  }
  v1::WorkerReport report;
  std::string node_id;
  while (stream->Read(&report)) {
    v1::CoordinatorOrder order;
    absl::MutexLock lock(&mutex_);
    if (report.has_hello()) {
      node_id = report.hello().node_id();
      hellos_[node_id] = report.hello();
      order.mutable_welcome()->set_heartbeat_ms(50);
      order.mutable_welcome()->set_silence_ms(1000);
      order.mutable_welcome()->set_server_time_unix_ms(absl::ToUnixMillis(absl::Now()));
      stream->Write(order);
    } else if (report.has_failure()) {
      failures_.push_back(report.failure());
    } else if (report.has_capability()) {
      capabilities_[node_id] = report.capability();
    } else {
      ++heartbeats_[node_id];
      if (report.heartbeat().leaving()) leaving_.insert(node_id);
      if (leave_.empty()) continue;
      order.set_leave(leave_);
      stream->Write(order);
    }
  }
  return grpc::Status::OK;
}

const engine::Blob* SmallCoordinator::Pieces::Find(const std::string& hash) const {
  for (const engine::Blob& blob : manifest->blobs) {
    if (hash.size() == blob.hash.size() && std::memcmp(hash.data(), blob.hash.data(), hash.size()) == 0) return &blob;
  }
  return nullptr;
}

grpc::Status SmallCoordinator::Pieces::Fetch(grpc::ServerContext* /*context*/, const v1::FetchRequest* request,
                                             grpc::ServerWriter<v1::FetchChunk>* writer) {
  const engine::Blob* const blob = Find(request->sha256());
  if (blob == nullptr) return {grpc::StatusCode::NOT_FOUND, "no such piece"};
  ++served;
  v1::FetchChunk chunk;
  chunk.set_total_bytes(blob->bytes);
  chunk.mutable_data()->resize(blob->bytes - request->offset());
  const absl::Status read = engine::ReadBlob(
      *file, *blob, request->offset(), {reinterpret_cast<uint8_t*>(chunk.mutable_data()->data()), chunk.data().size()});
  if (read.ok()) writer->Write(chunk);
  return ToGrpc(read);
}

grpc::Status SmallCoordinator::Pieces::Has(grpc::ServerContext* /*context*/, const v1::HasRequest* request,
                                           v1::HasReply* reply) {
  for (const std::string& hash : request->sha256()) reply->add_present(Find(hash) != nullptr);
  return grpc::Status::OK;
}

}  // namespace enigma::worker
