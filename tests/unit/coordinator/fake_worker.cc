#include "tests/unit/coordinator/fake_worker.h"

#include <algorithm>
#include <utility>

#include <absl/time/clock.h>
#include <gtest/gtest.h>

#include "rpc/channel.h"
#include "rpc/status_conversion.h"

namespace enigma::coordinator::testing {

using enigma::v1::TokenEvent;

void FakePipelines::SetAnswer(std::vector<int32_t> ids) {
  absl::MutexLock lock(&mutex_);
  answer_ = std::move(ids);
  once_ = false;
}

void FakePipelines::SetWholeAnswer(std::vector<int32_t> ids) {
  absl::MutexLock lock(&mutex_);
  answer_ = std::move(ids);
  once_ = true;
}

void FakePipelines::SetLabels(std::vector<double> probabilities) {
  absl::MutexLock lock(&mutex_);
  labels_ = std::move(probabilities);
}

void FakePipelines::HoldLabels(bool hold) {
  absl::MutexLock lock(&mutex_);
  hold_labels_ = hold;
  if (hold) return;
  for (const auto& [replica, open] : questions_) WeighLabels(replica, open);
  questions_.clear();
}

void FakePipelines::SetManner(Manner manner) {
  absl::MutexLock lock(&mutex_);
  manner_ = manner;
}

void FakePipelines::Open(uint64_t replica, const enigma::v1::OpenSequence& open) {
  absl::MutexLock lock(&mutex_);
  opened_.push_back(open);
  if (open.pooling() != enigma::v1::POOLING_NONE) {
    if (manner_ == Manner::kAnswer) Embed(replica, open);
    return;
  }
  if (manner_ == Manner::kSilent) return;
  if (open.has_labels()) {
    if (hold_labels_) questions_.emplace_back(replica, open);
    if (manner_ == Manner::kAnswer && !hold_labels_) WeighLabels(replica, open);
    return;
  }
  uint32_t tokens = manner_ == Manner::kHold ? 1 : open.sampling().max_tokens();
  const bool stops = once_ && tokens >= answer_.size();
  if (stops) tokens = static_cast<uint32_t>(answer_.size());
  for (uint32_t i = 0; i < tokens; ++i) {
    TokenEvent event;
    event.set_sequence(open.sequence());
    event.set_epoch(open.epoch());
    event.set_position(static_cast<uint32_t>(open.prompt_size()) + i);
    event.set_has_token(true);
    event.set_id(answer_[i % answer_.size()]);
    if (manner_ == Manner::kAnswer && i + 1 == tokens) event.set_finish_reason(stops ? "stop" : "length");
    events_[replica].push_back(event);
    if (manner_ != Manner::kHold) continue;
    event.set_position(event.position() + 1);
    event.set_finish_reason("length");
    held_[replica].push_back(event);
  }
}

void FakePipelines::Embed(uint64_t replica, const enigma::v1::OpenSequence& open) {
  TokenEvent& event = events_[replica].emplace_back();
  event.set_sequence(open.sequence());
  event.set_epoch(open.epoch());
  event.set_finish_reason("stop");
  event.mutable_embedding()->Resize(kEmbeddingWidth, 0);
  event.set_embedding(0, 0.6F);
  event.set_embedding(1 + open.prompt_size() % (kEmbeddingWidth - 1), 0.8F);
}

void FakePipelines::WeighLabels(uint64_t replica, const enigma::v1::OpenSequence& open) {
  TokenEvent& event = events_[replica].emplace_back();
  event.set_sequence(open.sequence());
  event.set_epoch(open.epoch());
  event.set_finish_reason("stop");
  event.mutable_label_probabilities()->Add(labels_.begin(), labels_.end());
}

void FakePipelines::FinishHeld() {
  absl::MutexLock lock(&mutex_);
  for (auto& [replica, events] : held_) {
    for (TokenEvent& event : events) events_[replica].push_back(std::move(event));
  }
  held_.clear();
}

void FakePipelines::Cancel(uint64_t sequence) {
  absl::MutexLock lock(&mutex_);
  for (const enigma::v1::OpenSequence& open : opened_) {
    if (open.sequence() == sequence) cancelled_.insert(sequence);
  }
}

FakePipelines::Manner FakePipelines::manner() const {
  absl::MutexLock lock(&mutex_);
  return manner_;
}

enigma::v1::TokenEvents FakePipelines::Take(uint64_t replica) {
  absl::MutexLock lock(&mutex_);
  std::deque<TokenEvent>& events = events_[replica];
  const auto some = [&events] { return !events.empty(); };
  mutex_.AwaitWithTimeout(absl::Condition(&some), absl::Milliseconds(10));
  enigma::v1::TokenEvents taken;
  for (; !events.empty() && taken.events_size() < 8; events.pop_front()) *taken.add_events() = events.front();
  return taken;
}

absl::Status FakePipelines::Prepare(const enigma::v1::PrepareConstraintRequest& request) {
  absl::MutexLock lock(&mutex_);
  prepared_.push_back(request);
  const auto free = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return !hold_constraints_; };
  mutex_.AwaitWithTimeout(absl::Condition(&free), absl::Seconds(20));
  return constraint_refusal_;
}

void FakePipelines::RefuseConstraints(const absl::Status& why) {
  absl::MutexLock lock(&mutex_);
  constraint_refusal_ = why;
}

void FakePipelines::HoldConstraints(bool hold) {
  absl::MutexLock lock(&mutex_);
  hold_constraints_ = hold;
}

void FakePipelines::BreakOff(uint64_t replica, uint64_t sequence, const absl::Status& why) {
  absl::MutexLock lock(&mutex_);
  TokenEvent event;
  event.set_sequence(sequence);
  event.set_epoch(1);
  event.set_error_code(static_cast<uint32_t>(why.code()));
  event.set_error(std::string(why.message()));
  events_[replica].push_back(event);
}

std::vector<enigma::v1::PrepareConstraintRequest> FakePipelines::prepared() const {
  absl::MutexLock lock(&mutex_);
  return prepared_;
}

void FakePipelines::ForgetRequests() {
  absl::MutexLock lock(&mutex_);
  prepared_.clear();
  opened_.clear();
}

std::set<uint64_t> FakePipelines::cancelled() const {
  absl::MutexLock lock(&mutex_);
  return cancelled_;
}

std::vector<enigma::v1::OpenSequence> FakePipelines::opened() const {
  absl::MutexLock lock(&mutex_);
  return opened_;
}

FakeWorker::FakeWorker(FakePipelines& pipelines, Options options)
    : pipelines_(pipelines), options_(std::move(options)), measured_(options_.measured) {
  ServerOptions server;
  server.host = "127.0.0.1";
  server.identity = options_.identity;
  server.services = {this};
  if (options_.ranks != nullptr) server.services.push_back(options_.ranks);
  auto started = RpcServer::Start(server);
  EXPECT_TRUE(started.ok()) << started.status();
  server_ = *std::move(started);
}

FakeWorker::~FakeWorker() { Kill(); }

void FakeWorker::AttendTo(const std::string& coordinator) {
  thread_ = std::thread([this, coordinator] {
    while (!stopping_) {
      AttendOnce(coordinator);
      absl::SleepFor(absl::Milliseconds(30));
    }
  });
}

void FakeWorker::AttendOnce(const std::string& coordinator) {
  const auto channel = MakeChannel(coordinator, options_.identity, ExpectedPeer::Coordinator());
  const auto stub = enigma::v1::Membership::NewStub(channel);
  grpc::ClientContext context;
  {
    absl::MutexLock lock(&mutex_);
    if (stopping_) return;
    attending_ = &context;
  }
  const auto stream = stub->Attend(&context);
  enigma::v1::WorkerReport report;
  enigma::v1::WorkerHello& hello = *report.mutable_hello();
  hello.set_node_id(options_.node_id);
  hello.set_host_name(options_.host_name);
  hello.set_incarnation(options_.incarnation);
  hello.set_grpc_port(static_cast<uint32_t>(server_->port()));
  hello.add_addresses("127.0.0.1");
  *hello.mutable_capability() = Capability();
  enigma::v1::CoordinatorOrder order;
  std::atomic<bool> ended = false;
  std::thread heartbeats;
  if (stream->Write(report) && stream->Read(&order) && order.has_welcome()) {
    heartbeats = std::thread([&] {
      while (!ended && !stopping_) {
        std::deque<enigma::v1::WorkerReport> news;
        {
          absl::MutexLock lock(&mutex_);
          news.swap(reports_);
        }
        for (const enigma::v1::WorkerReport& one : news) stream->Write(one);
        enigma::v1::WorkerReport beat;
        beat.mutable_heartbeat()->set_memory_free_bytes(FreeBytes());
        beat.mutable_heartbeat()->set_leaving(leaving_);
        for (const uint64_t replica : stages()) {
          enigma::v1::StageStatus& stage = *beat.mutable_heartbeat()->add_stages();
          stage.set_replica(replica);
          stage.set_busy(busy_ms_ >= 0);
          stage.set_last_step_age_ms(busy_ms_);
        }
        if (!silent_ && !stream->Write(beat)) return;
        absl::SleepFor(absl::Milliseconds(20));
      }
    });
    while (stream->Read(&order) && !order.has_leave()) {
    }
  }
  ended = true;
  if (heartbeats.joinable()) heartbeats.join();
  context.TryCancel();
  stream->Finish();
  absl::MutexLock lock(&mutex_);
  attending_ = nullptr;
  if (order.has_leave()) {
    told_to_leave_ = order.leave();
    stopping_ = true;
  }
}

uint64_t FakeWorker::FreeBytes() const {
  const size_t held = std::min(stages().size(), options_.stages_max);
  if (options_.stage_bytes != 0) return (options_.stages_max - held) * options_.stage_bytes;
  return held < options_.stages_max ? options_.memory_bytes : 0;
}

enigma::v1::Capability FakeWorker::Capability() const {
  enigma::v1::Capability capability;
  capability.set_memory_free_bytes(FreeBytes());
  capability.set_memory_total_bytes(options_.memory_bytes);
  capability.set_contract("fake-v1");
  capability.set_encodes_pictures(options_.encodes_pictures);
  if (!measured_) return capability;
  capability.set_memory_bytes_per_second(options_.bytes_per_second);
  capability.set_flops_per_second(options_.bytes_per_second * 10);
  return capability;
}

void FakeWorker::Measure() {
  measured_ = true;
  const enigma::v1::Capability capability = Capability();
  absl::MutexLock lock(&mutex_);
  *reports_.emplace_back().mutable_capability() = capability;
}

void FakeWorker::ReportFailure(uint64_t replica, const std::string& reason, const std::string& lost) {
  absl::MutexLock lock(&mutex_);
  enigma::v1::ReplicaFailure& failure = *reports_.emplace_back().mutable_failure();
  failure.set_replica(replica);
  failure.set_reason(reason);
  failure.set_peer_node(lost);
}

void FakeWorker::GiveUp(uint64_t sequence, const std::string& why) {
  enigma::v1::SubmitReply reply;
  reply.set_sequence(sequence);
  reply.set_error(why);
  absl::MutexLock lock(&mutex_);
  if (submit_ != nullptr) submit_->Write(reply);
}

void FakeWorker::CutFrom(const std::string& node_id) {
  absl::MutexLock lock(&mutex_);
  cut_from_.insert(node_id);
}

bool FakeWorker::IsCutFrom(const std::string& node_id) const {
  absl::MutexLock lock(&mutex_);
  return cut_from_.contains(node_id);
}

void FakeWorker::RefusePictures(const absl::Status& why) {
  absl::MutexLock lock(&mutex_);
  picture_refusal_ = why;
}

void FakeWorker::Kill() {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
    if (attending_ != nullptr) attending_->TryCancel();
  }
  if (server_ != nullptr) server_->Shutdown(absl::ZeroDuration());
  if (thread_.joinable()) thread_.join();
}

std::string FakeWorker::told_to_leave() const {
  absl::MutexLock lock(&mutex_);
  return told_to_leave_;
}

std::vector<enigma::v1::LoadStageRequest> FakeWorker::loaded() const {
  absl::MutexLock lock(&mutex_);
  return loaded_;
}

std::set<uint64_t> FakeWorker::stages() const {
  absl::MutexLock lock(&mutex_);
  return stages_;
}

grpc::Status FakeWorker::LoadStage(grpc::ServerContext* context, const enigma::v1::LoadStageRequest* request,
                                   grpc::ServerWriter<enigma::v1::LoadStageProgress>* writer) {
  ++load_calls_;
  if (fail_loads_) return {grpc::StatusCode::RESOURCE_EXHAUSTED, "the disk is full"};
  enigma::v1::LoadStageProgress progress;
  progress.set_phase("fetching");
  progress.set_bytes_needed(100);
  writer->Write(progress);
  while (hold_loads_ && !stopping_ && !context->IsCancelled()) absl::SleepFor(absl::Milliseconds(5));
  progress.set_bytes_fetched(100);
  progress.set_phase("ready");
  progress.set_done(true);
  writer->Write(progress);
  absl::MutexLock lock(&mutex_);
  loaded_.push_back(*request);
  stages_.insert(request->replica());
  return grpc::Status::OK;
}

grpc::Status FakeWorker::ConnectStage(grpc::ServerContext*, const enigma::v1::ConnectStageRequest* request,
                                      enigma::v1::ConnectStageReply*) {
  if (IsCutFrom(request->next().node_id())) return {grpc::StatusCode::UNAVAILABLE, "the next node does not answer"};
  return grpc::Status::OK;
}

grpc::Status FakeWorker::UnloadStage(grpc::ServerContext*, const enigma::v1::UnloadStageRequest* request,
                                     enigma::v1::UnloadStageReply*) {
  absl::MutexLock lock(&mutex_);
  if (stages_.erase(request->replica()) == 0) return {grpc::StatusCode::NOT_FOUND, "no such stage"};
  return grpc::Status::OK;
}

grpc::Status FakeWorker::PrepareConstraint(grpc::ServerContext*, const enigma::v1::PrepareConstraintRequest* request,
                                           enigma::v1::PrepareConstraintReply*) {
  return ToGrpc(pipelines_.Prepare(*request));
}

grpc::Status FakeWorker::Encode(grpc::ServerContext* context, const enigma::v1::EncodeRequest* request,
                                enigma::v1::EncodeReply* reply) {
  ++encode_calls_;
  while (hold_pictures_ && !stopping_ && !context->IsCancelled()) absl::SleepFor(absl::Milliseconds(5));
  if (stopping_ || context->IsCancelled()) {
    ++cancelled_pictures_;
    return {grpc::StatusCode::CANCELLED, "it stops"};
  }
  {
    absl::MutexLock lock(&mutex_);
    if (!picture_refusal_.ok()) return ToGrpc(picture_refusal_);
  }
  if (request->image().ends_with("corrupt")) return {grpc::StatusCode::INVALID_ARGUMENT, "the image is damaged"};
  const int values = kPictureRows * FakePipelines::kEmbeddingWidth;
  for (int i = 0; i < values; ++i) reply->add_rows(static_cast<float>(request->image().size()));
  return grpc::Status::OK;
}

grpc::Status FakeWorker::Submit(
    grpc::ServerContext*, grpc::ServerReaderWriter<enigma::v1::SubmitReply, enigma::v1::SequenceCommand>* stream) {
  enigma::v1::SequenceCommand command;
  if (!stream->Read(&command)) return grpc::Status::OK;
  const uint64_t replica = command.attach();
  enigma::v1::SubmitReply reply;
  reply.set_attached(true);
  stream->Write(reply);
  {
    absl::MutexLock lock(&mutex_);
    submit_ = stream;
  }
  while (stream->Read(&command)) {
    if (command.has_cancel()) {
      pipelines_.Cancel(command.cancel().sequence());
    } else if (pipelines_.manner() == FakePipelines::Manner::kRefuse) {
      reply.set_attached(false);
      reply.set_sequence(command.open().sequence());
      reply.set_error("no room for it here");
      stream->Write(reply);
    } else {
      pipelines_.Open(replica, command.open());
    }
  }
  absl::MutexLock lock(&mutex_);
  if (submit_ == stream) submit_ = nullptr;
  return grpc::Status::OK;
}

grpc::Status FakeWorker::Tokens(grpc::ServerContext* context, const enigma::v1::TokensRequest* request,
                                grpc::ServerWriter<enigma::v1::TokenEvents>* writer) {
  enigma::v1::TokenEvents attached;
  attached.set_attached(true);
  writer->Write(attached);
  while (!context->IsCancelled() && !stopping_) {
    const enigma::v1::TokenEvents events = pipelines_.Take(request->replica());
    if (events.events_size() > 0 && !writer->Write(events)) break;
  }
  return grpc::Status::OK;
}

grpc::Status FakeWorker::ProbeLink(grpc::ServerContext*, const enigma::v1::ProbeLinkRequest* request,
                                   enigma::v1::ProbeLinkReply* reply) {
  if (IsCutFrom(request->target().node_id())) return {grpc::StatusCode::UNAVAILABLE, "the node does not answer"};
  reply->set_round_trip_seconds(100e-6);
  reply->set_bytes_per_second(1e9);
  return grpc::Status::OK;
}

}  // namespace enigma::coordinator::testing
