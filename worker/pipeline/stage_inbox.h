#pragma once

#include <atomic>
#include <cstddef>
#include <deque>
#include <optional>
#include <string>
#include <variant>

#include <absl/base/thread_annotations.h>
#include <absl/status/status.h>
#include <absl/synchronization/mutex.h>
#include <absl/time/time.h>

#include "proto/worker.pb.h"
#include "worker/pipeline/frame_receiver.h"
#include "worker/pipeline/wait_forecast.h"

namespace enigma::worker {

// What a stage's compute thread is told.
struct FrameArrived {
  LinkPeer peer;
  grpc::ByteBuffer frame;
  absl::Duration arrived = {};  // on the system's monotonic clock
};
struct LinkLost {
  LinkPeer peer;
  bool outgoing = false;
  absl::Status reason;
};
struct OpenRequested {
  v1::OpenSequence open;
};
struct CancelRequested {
  uint64_t sequence = 0;
};
struct CancelAllRequested {};
struct Connected {};
using StageEvent = std::variant<FrameArrived, LinkLost, OpenRequested, CancelRequested, CancelAllRequested, Connected>;

// The one door to a stage's compute thread. Thread-safe. Bounded: frames and requests beyond the limits are refused;
// news of links, of which there are few, always gets in.
class StageInbox : public FrameReceiver {
 public:
  StageInbox(size_t frames_max, size_t requests_max) : frames_max_(frames_max), requests_max_(requests_max) {}

  absl::Status OnFrame(const LinkPeer& peer, grpc::ByteBuffer frame) override;
  void OnLinkLost(const LinkPeer& peer, const absl::Status& reason) override;
  void Tell(StageEvent news);            // of links
  absl::Status Ask(StageEvent request);  // ResourceExhausted when too many wait; Unavailable once closed
  enum class Wait {
    kNo,
    kLong,  // nothing is under way
    kSoon,  // a frame is under way: waited for at its beat, see WaitForecast
  };
  // The next event; without one, waits as told. Empty: nothing there, or closed. One thread pops.
  std::optional<StageEvent> Pop(Wait wait);
  void Close();
  bool closed() const;
  // Nothing waits, and the popping thread has done with what it popped last: it has asked for more since.
  bool idle() const;
  // How the next wait of the popping thread, which alone may ask, will be.
  const WaitForecast& forecast() const { return forecast_; }

 private:
  void AwaitEvent(absl::Duration timeout);
  void AwaitBeat();
  void Look(absl::Duration most);
  std::optional<StageEvent> Take();
  void Push(StageEvent event) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool HasNewsLocked() const ABSL_SHARED_LOCKS_REQUIRED(mutex_) { return !events_.empty() || closed_; }

  const size_t frames_max_;
  const size_t requests_max_;
  mutable absl::Mutex mutex_;
  std::deque<StageEvent> events_ ABSL_GUARDED_BY(mutex_);
  size_t frames_ ABSL_GUARDED_BY(mutex_) = 0;
  bool handed_out_ ABSL_GUARDED_BY(mutex_) = false;  // the last Pop gave an event
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
  std::atomic<bool> news_{false};  // events_ has some or closed_; to be looked at without the lock
  WaitForecast forecast_;          // of the popping thread
};

}  // namespace enigma::worker
