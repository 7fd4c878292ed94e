#include "coordinator/operations/stage_loading.h"

#include <thread>

#include <absl/strings/str_cat.h>
#include <absl/time/clock.h>

#include "rpc/status_conversion.h"

namespace enigma::coordinator {
namespace {

constexpr absl::Duration kReportEvery = absl::Milliseconds(50);
constexpr absl::Duration kLoadConnectTimeout = absl::Seconds(20);

absl::Status NamedAfter(const Node& node, const absl::Status& status) {
  if (status.ok()) return status;
  return absl::Status(status.code(), absl::StrCat("node ", node.Label(), ": ", status.message()));
}

// The LoadStage calls of one load.
class StageLoads {
 public:
  explicit StageLoads(std::vector<StageTarget>& targets)
      : targets_(targets), contexts_(targets.size()), latest_(targets.size()), running_(targets.size()) {}

  void Start() {
    for (size_t i = 0; i < targets_.size(); ++i) threads_.emplace_back([this, i] { Run(i); });
  }

  // True when all have ended.
  bool WaitFor(absl::Duration timeout) {
    absl::MutexLock lock(&mutex_);
    const auto ended = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return running_ == 0; };
    const bool all = mutex_.AwaitWithTimeout(absl::Condition(&ended), timeout);
    for (size_t i = 0; i < targets_.size(); ++i) targets_[i].progress = latest_[i];
    return all;
  }

  void Cancel(const absl::Status& why) {
    absl::MutexLock lock(&mutex_);
    if (failure_.ok()) failure_ = why;
    for (grpc::ClientContext& context : contexts_) context.TryCancel();
  }

  absl::Status Join() {
    for (std::thread& thread : threads_) thread.join();
    absl::MutexLock lock(&mutex_);
    return failure_;
  }

 private:
  void Run(size_t index) {
    const auto stub = enigma::v1::Worker::NewStub(targets_[index].channel);
    const auto stream = stub->LoadStage(&contexts_[index], targets_[index].request);
    enigma::v1::LoadStageProgress progress;
    while (stream->Read(&progress)) {
      absl::MutexLock lock(&mutex_);
      latest_[index] = progress;
    }
    absl::Status status = FromGrpc(stream->Finish());
    if (status.ok() && !progress.done()) status = absl::InternalError("it ended the load without a result");
    if (!status.ok()) Cancel(NamedAfter(targets_[index].node, status));
    absl::MutexLock lock(&mutex_);
    --running_;
  }

  std::vector<StageTarget>& targets_;
  std::vector<grpc::ClientContext> contexts_;
  std::vector<std::thread> threads_;
  absl::Mutex mutex_;
  std::vector<enigma::v1::LoadStageProgress> latest_ ABSL_GUARDED_BY(mutex_);
  size_t running_ ABSL_GUARDED_BY(mutex_);
  absl::Status failure_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace

absl::Status LoadStages(std::vector<StageTarget>& targets, const std::function<void()>& report,
                        const MayGoOn& may_go_on) {
  StageLoads loads(targets);
  loads.Start();
  while (!loads.WaitFor(kReportEvery)) {
    report();
    if (absl::Status go_on = may_go_on(); !go_on.ok()) loads.Cancel(go_on);
  }
  report();
  return loads.Join();
}

absl::Status ConnectStages(std::span<const StageTarget> targets) {
  std::vector<absl::Status> results(targets.size());
  std::vector<std::thread> calls;
  for (size_t i = 0; i < targets.size(); ++i) {
    calls.emplace_back([&, i] {
      const auto stub = enigma::v1::Worker::NewStub(targets[i].channel);
      grpc::ClientContext context;
      context.set_deadline(absl::ToChronoTime(absl::Now() + kLoadConnectTimeout));
      enigma::v1::ConnectStageRequest request;
      request.set_replica(targets[i].request.replica());
      if (targets.size() > 1) {
        const Node& next = targets[(i + 1) % targets.size()].node;
        request.mutable_next()->set_node_id(next.id);
        request.mutable_next()->mutable_endpoints()->Assign(next.endpoints.begin(), next.endpoints.end());
      }
      enigma::v1::ConnectStageReply reply;
      results[i] = NamedAfter(targets[i].node, FromGrpc(stub->ConnectStage(&context, request, &reply)));
    });
  }
  for (std::thread& call : calls) call.join();
  for (const absl::Status& result : results) {
    if (!result.ok()) return result;
  }
  return absl::OkStatus();
}

}  // namespace enigma::coordinator
