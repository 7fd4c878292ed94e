#pragma once

#include <cstddef>
#include <utility>

#include <absl/base/thread_annotations.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/synchronization/mutex.h>
#include <absl/time/time.h>

namespace enigma::coordinator {

// The door through which every request for inference comes, over HTTP and gRPC alike: open until the coordinator
// drains. Counts who is inside, so that a drain knows when it is done. Thread-safe; outlives every pass.
class Intake {
 public:
  // One request that is under way, until its answer is written; leaves once, at the latest when it is destroyed.
  // Move-only, not thread-safe.
  class Pass {
   public:
    Pass() = default;
    Pass(Pass&& other) noexcept : intake_(std::exchange(other.intake_, nullptr)) {}
    Pass& operator=(Pass&& other) noexcept {
      Leave();
      intake_ = std::exchange(other.intake_, nullptr);
      return *this;
    }
    ~Pass() { Leave(); }
    void Leave();

   private:
    friend class Intake;
    explicit Pass(Intake* intake) : intake_(intake) {}
    Intake* intake_ = nullptr;
  };

  // The error of Close once it is closed.
  absl::StatusOr<Pass> Enter();
  // Lets nobody in from now on; who asks hears `why`. Later calls do nothing.
  void Close(const absl::Status& why);
  bool open() const;
  size_t inside() const;
  // False when some are still inside after `timeout`.
  bool AwaitNone(absl::Duration timeout) const;

 private:
  mutable absl::Mutex mutex_;
  absl::Status closed_ ABSL_GUARDED_BY(mutex_);  // OK: open
  size_t inside_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace enigma::coordinator
