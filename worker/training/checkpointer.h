#pragma once

#include <functional>
#include <thread>

#include <absl/base/thread_annotations.h>
#include <absl/status/status.h>
#include <absl/synchronization/mutex.h>
#include <absl/time/time.h>

#include "base/clock.h"
#include "engine/spec/training_config.h"
#include "engine/training/parameters.h"
#include "proto/rank.pb.h"
#include "worker/training/step_boundary.h"
#include "worker/training/stop_signal.h"

namespace enigma::worker {

// When a state was copied.
struct CheckpointOccasion {
  uint64_t epoch = 0;
  ValidationRecord validations = {};  // up to then
  bool best = false;                  // by validation: no later state can stand in for it
};

// A leader's checkpoints: copies the state, for which training stands still, and stores the copy on a thread of its
// own. Never two at once. The rank's thread calls.
class Checkpointer {
 public:
  struct Options {
    // Stores a state that was copied; takes as long as it takes, and ends early on the signal.
    std::function<absl::Status(const engine::TrainingState& state, const CheckpointOccasion& occasion,
                               const StopSignal& stop)>
        store;
    std::function<void(const v1::CheckpointStored&)> report;  // from the storing thread
    absl::Duration retry_after = absl::Seconds(10);           // a failure, with a newer state but for the best
  };
  Checkpointer(Options options, const Clock& clock);
  ~Checkpointer();  // ends what is under way

  // The rank leads from here on: checkpoints of its own are counted from this step.
  void Lead(uint64_t step);
  // Whether one is to be begun, and can be: by the configuration, or again after a failure.
  bool Due(const engine::TrainingConfig& config, uint64_t step) const;
  // Of this step there is none yet, none is under way, and the last failure is a while ago.
  bool Missing(uint64_t step) const;
  bool idle() const;
  // Idle, and the copy of before is not needed any more.
  bool Free() const;
  // Of this step there is one, or it is under way.
  bool Has(uint64_t step) const;
  // While idle.
  void Start(const engine::TrainingState& state, const CheckpointOccasion& occasion);
  // Stores the best state once more where that failed a while ago. Costs nothing where there is none.
  void RetryBest();
  // False when the signal came first.
  bool AwaitIdle(const StopSignal& stop) const;

 private:
  void Store(absl::Duration copying);

  const Options options_;
  const Clock& clock_;
  StopSignal ending_;
  engine::TrainingState copy_;  // of the storing thread while it runs, and so is its occasion
  CheckpointOccasion occasion_;
  std::thread thread_;

  mutable absl::Mutex mutex_;
  bool storing_ ABSL_GUARDED_BY(mutex_) = false;
  uint64_t begun_step_ ABSL_GUARDED_BY(mutex_) = 0;  // or where the leadership began
  absl::Duration begun_at_ ABSL_GUARDED_BY(mutex_);
  uint64_t stored_step_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::Duration failed_at_ ABSL_GUARDED_BY(mutex_) = -absl::InfiniteDuration();  // of the last one; else long ago
  bool failed_ ABSL_GUARDED_BY(mutex_) = false;                                   // the last one did
  bool best_unsaved_ ABSL_GUARDED_BY(mutex_) = false;                             // the copy is the best state's
};

}  // namespace enigma::worker
