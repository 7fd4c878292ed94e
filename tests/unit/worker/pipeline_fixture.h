#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include <absl/synchronization/mutex.h>

#include "rpc/server.h"
#include "worker/pipeline/stage_executor.h"
#include "worker/pipeline/stage_link_service.h"

namespace enigma::worker {

// A replica in this process: each stage with a server of its own, linked over real gRPC on loopback (plain text).
class PipelineFixture {
 public:
  struct Options {
    std::string model_path;
    std::vector<uint32_t> cuts;  // first layers of the stages, 0 first
    uint32_t kv_blocks = 64;
    uint32_t max_rows = 512;
    WireType wire_type = WireType::kF32;
    const Clock* clock = &Clock::System();
  };
  explicit PipelineFixture(const Options& options);
  ~PipelineFixture();

  // Attaches as the coordinator does.
  StageExecutor& first() { return *stages_.front()->executor; }
  StageExecutor& last() { return *stages_.back()->executor; }
  StageExecutor& stage(size_t index) { return *stages_[index]->executor; }
  Metrics& metrics() { return metrics_; }
  absl::Mutex& turn(size_t index) { return stages_[index]->turn; }  // held: the stage computes nothing
  void DropStage(size_t index) { stages_[index]->executor.reset(); }
  void KillServer(size_t index) { stages_[index]->server->Shutdown(absl::ZeroDuration()); }
  StageExecutor::Replies& replies() { return *replies_; }

  struct Ended {
    std::vector<int32_t> ids;
    std::string finish_reason;
    std::vector<float> embedding;
    std::vector<double> label_probabilities;
    std::string error;
  };
  // Collects events until `count` sequences have ended, or a minute has passed.
  std::map<uint64_t, Ended> Collect(size_t count);
  // Collects until the sequence has `tokens` tokens.
  bool AwaitTokens(uint64_t sequence, size_t tokens);
  std::vector<v1::ReplicaFailure> failures();
  bool AwaitFailures(size_t count);

 private:
  struct Hosted {
    std::unique_ptr<StageLinkService> links;
    std::unique_ptr<RpcServer> server;
    absl::Mutex turn;
    std::unique_ptr<StageExecutor> executor;
  };
  void Take(const v1::TokenEvents& events);

  Metrics metrics_;
  absl::Mutex mutex_;
  std::vector<v1::ReplicaFailure> failures_;
  std::map<uint64_t, Ended> collected_;
  std::vector<std::unique_ptr<Hosted>> stages_;
  std::shared_ptr<StageExecutor::Replies> replies_;
  std::shared_ptr<TokenOutbox> outbox_;
  uint64_t reader_ = 0;
};

}  // namespace enigma::worker
