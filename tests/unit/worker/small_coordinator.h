#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include <absl/synchronization/mutex.h>

#include "engine/spec/manifest.h"
#include "proto/membership.grpc.pb.h"
#include "proto/worker.grpc.pb.h"
#include "rpc/certificate_authority.h"
#include "rpc/join.h"
#include "rpc/server.h"

namespace enigma::worker {

// As much of a coordinator as a worker's tests need: admits workers by one token, keeps their hellos and failures,
// serves the pieces of one model file.
class SmallCoordinator final : public v1::Membership::Service {
 public:
  SmallCoordinator(const std::string& folder, const std::string& model_path);
  ~SmallCoordinator() override;

  int port() const { return server_->port(); }
  std::string endpoint() const { return "127.0.0.1:" + std::to_string(port()); }
  std::string token() const { return token_.token.ToText(); }
  const engine::Manifest& manifest() const { return manifest_; }
  v1::NodeAddress address() const;
  // The newest hello of each node, once there are `count`.
  std::vector<v1::WorkerHello> AwaitHellos(size_t count);
  // What the node reported after its hello; empty when that does not come.
  v1::Capability AwaitCapability(const std::string& node_id);
  uint64_t heartbeats(const std::string& node_id);
  bool AwaitLeaving(const std::string& node_id);
  bool AwaitFailure();
  // As the coordinator, mTLS.
  std::unique_ptr<v1::Worker::Stub> Dial(const v1::WorkerHello& worker) const;
  uint64_t pieces_served() const { return content_->served; }
  void OrderToLeave(const std::string& why);
  // Answers every attendance with this from now on.
  void RefuseAttendance(const grpc::Status& why);

  grpc::Status Join(grpc::ServerContext* context, const v1::JoinRequest* request, v1::JoinReply* reply) override;
  grpc::Status Attend(grpc::ServerContext* context,
                      grpc::ServerReaderWriter<v1::CoordinatorOrder, v1::WorkerReport>* stream) override;

 private:
  struct Pieces final : v1::Content::Service {
    grpc::Status Fetch(grpc::ServerContext* context, const v1::FetchRequest* request,
                       grpc::ServerWriter<v1::FetchChunk>* writer) override;
    grpc::Status Has(grpc::ServerContext* context, const v1::HasRequest* request, v1::HasReply* reply) override;
    const engine::Blob* Find(const std::string& hash) const;

    std::unique_ptr<engine::GgufFile> file;
    const engine::Manifest* manifest = nullptr;
    std::atomic<uint64_t> served{0};
  };

  std::unique_ptr<CertificateAuthority> authority_;
  std::unique_ptr<NodeIdentity> identity_;
  NewJoinToken token_;
  engine::Manifest manifest_;
  std::unique_ptr<Pieces> content_ = std::make_unique<Pieces>();
  std::unique_ptr<RpcServer> server_;

  absl::Mutex mutex_;
  std::map<std::string, v1::WorkerHello> hellos_;
  std::map<std::string, v1::Capability> capabilities_;
  std::map<std::string, uint64_t> heartbeats_;
  std::set<std::string> leaving_;
  std::vector<v1::ReplicaFailure> failures_;
  std::string leave_;
  grpc::Status refusal_;
};

}  // namespace enigma::worker
