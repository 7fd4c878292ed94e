#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include <absl/base/thread_annotations.h>
#include <absl/functional/function_ref.h>
#include <absl/status/status.h>
#include <absl/synchronization/mutex.h>
#include <absl/time/time.h>

#include "proto/rank.pb.h"
#include "worker/training/stop_signal.h"

namespace enigma::worker {

// The one door to a rank's thread. Thread-safe: gRPC's threads give orders, the rank's thread takes them. What waits is
// bounded: one epoch, the newest, and one export.
class RankOrders {
 public:
  struct Epoch {
    v1::BeginEpoch begin;
    std::shared_ptr<StopSignal> stop;  // shared: orders that end the epoch come from other threads
  };

  // Ends the epoch before it. `accepted` is called before the rank's thread can know. False for an epoch that is not
  // newer than the last one told.
  bool Begin(v1::BeginEpoch begin, absl::FunctionRef<void()> accepted);
  // Stops this epoch, under way or still waiting. False where there is nothing to stop.
  bool Halt(const v1::HaltEpoch& halt);
  // Bits for the next step of the epoch under way; dropped where there is none.
  void Control(uint64_t bits);
  // Dropped while an export is under way and after one that succeeded: a coordinator that starts anew orders it again,
  // and hears from the first one. `state`: see FinishRank.
  void Export(v1::JobFile state = {});
  void ExportFailed();  // may be ordered again
  // The rank goes; ends the epoch, too.
  void End(const absl::Status& reason);

  // What the rank is to do next: an epoch, or else an export. Waits, at most `timeout`. Nothing once ended.
  struct Next {
    std::optional<Epoch> epoch;
    bool export_model = false;
    v1::JobFile state = {};  // whose model is exported
  };
  Next Await(absl::Duration timeout);
  // The epoch that was handed out is over. False when a newer one has been told meanwhile.
  bool Over();
  uint64_t control() const;
  // These bits have been carried.
  void ClearControl(uint64_t bits);
  const StopSignal& ending() const { return ending_; }

 private:
  StopSignal ending_;
  mutable absl::Mutex mutex_;
  uint64_t told_ ABSL_GUARDED_BY(mutex_) = 0;  // newest epoch
  std::optional<Epoch> waiting_ ABSL_GUARDED_BY(mutex_);
  std::optional<Epoch> running_ ABSL_GUARDED_BY(mutex_);
  bool export_ ABSL_GUARDED_BY(mutex_) = false;        // waits
  v1::JobFile state_ ABSL_GUARDED_BY(mutex_);          // of the export
  bool export_taken_ ABSL_GUARDED_BY(mutex_) = false;  // waits, is under way, or succeeded
  uint64_t control_ ABSL_GUARDED_BY(mutex_) = 0;
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace enigma::worker
