#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include <absl/base/thread_annotations.h>
#include <absl/status/status.h>
#include <absl/synchronization/mutex.h>
#include <absl/synchronization/notification.h>
#include <absl/time/time.h>

#include "base/clock.h"
#include "engine/spec/training_config.h"
#include "engine/tensor/thread_pool.h"
#include "proto/rank.pb.h"
#include "worker/training/checkpointer.h"
#include "worker/training/epoch_run.h"
#include "worker/training/rank_orders.h"
#include "worker/training/rank_phase.h"
#include "worker/training/rank_reporter.h"
#include "worker/training/rank_tools.h"
#include "worker/training/state_gate.h"

namespace enigma::worker {

// One rank of one job on this worker: a thread that prepares, runs epoch after epoch, and exports. It outlives the
// coordinator's streams: orders come and events go through queues. Thread-safe.
class RankRunner {
 public:
  struct Options {
    v1::PrepareRank order;
    engine::TrainingConfig config;  // of the order
    uint64_t memory_bytes = 0;      // that the rank was given
    std::string node_id;
    int threads = 1;
  };
  // Begins to prepare. Tools and clock outlive the runner.
  RankRunner(Options options, const RankTools& tools, const Clock& clock);
  ~RankRunner();  // ends the rank, and waits for its thread

  // A coordinator came back: where it is now, and how long the rank may be without it.
  void Renew(const v1::PrepareRank& order);
  // What follows the first message of a stream. InvalidArgument where it makes no sense.
  absl::Status Obey(const v1::RankOrder& order);
  RankReporter& reporter() { return reporter_; }
  // While the rank prepares.
  std::optional<v1::PreparationProgress> Progress() const;

  // Hands on the state after `step` steps. `go` is called where that must end early, from any thread; afterwards `sink`
  // should return an error.
  absl::Status SendState(uint64_t step, std::function<void()> go, const std::function<void(uint64_t bytes)>& total,
                         const engine::ByteSink& sink);

  void End(const absl::Status& reason);
  void AwaitEnd() const { over_.WaitForNotification(); }
  RankPhase phase() const { return phase_; }
  // The job needs nothing of what it has on this disk any more.
  bool finished() const { return finished_; }
  // Without a coordinator for longer than the job allows.
  bool Orphaned() const;
  uint64_t memory_bytes() const { return options_.memory_bytes; }
  uint64_t job() const { return options_.order.job(); }

 private:
  void Main();
  absl::Status Prepare();
  void RunEpoch(const RankOrders::Epoch& epoch);
  void StoreLastCheckpoint();
  // Of the state in that file, where it has a name: the rank stands there then.
  void Export(const v1::JobFile& state);
  absl::Status TakeState(const v1::JobFile& file);
  void Fail(const absl::Status& reason);
  void Move(RankPhase to) { Move(EpochRun::End{.phase = to, .reason = {}, .lost_node = {}}); }
  void Move(const EpochRun::End& end);
  void DropState();
  v1::NodeAddress coordinator() const;

  const Options options_;
  const RankTools& tools_;
  const Clock& clock_;
  RankReporter reporter_;
  RankOrders orders_;
  StateGate gate_;
  FetchProgress progress_;
  std::atomic<RankPhase> phase_{RankPhase::kPreparing};
  std::atomic<bool> finished_{false};

  mutable absl::Mutex mutex_;
  v1::PrepareRank order_ ABSL_GUARDED_BY(mutex_);  // the newest

  // Of the rank's thread.
  uint64_t epoch_ = 0;            // the last one that was run
  bool led_ = false;              // in that one
  ValidationRecord validations_;  // up to where it has ended
  std::unique_ptr<engine::ThreadPool> pool_;
  PreparedRank rank_;
  std::unique_ptr<Checkpointer> checkpointer_;
  absl::Notification over_;
  std::thread thread_;  // last: it uses the others
};

}  // namespace enigma::worker
