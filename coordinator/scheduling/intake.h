#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

#include <absl/base/thread_annotations.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/synchronization/mutex.h>
#include <absl/time/time.h>

namespace enigma::coordinator {

// The door through which every request for inference comes, over HTTP and gRPC alike: open until the coordinator
// drains. Counts who is inside, so that a drain knows when it is done, and how large they are together, so that
// however many come with long prompts, memory holds them. Thread-safe; outlives every pass.
class Intake {
 public:
  explicit Intake(uint64_t bytes_max = uint64_t{512} << 20) : bytes_max_(bytes_max) {}

  // One request that is under way, until its answer is written; leaves once, at the latest when it is destroyed.
  // Move-only, not thread-safe.
  class Pass {
   public:
    Pass() = default;
    Pass(Pass&& other) noexcept { *this = std::move(other); }
    Pass& operator=(Pass&& other) noexcept {
      Leave();
      intake_ = std::exchange(other.intake_, nullptr);
      requests_ = other.requests_;
      bytes_ = std::exchange(other.bytes_, 0);
      return *this;
    }
    ~Pass() { Leave(); }
    void Leave();
    uint64_t bytes() const { return bytes_; }  // that it counts; none once it has left

   private:
    friend class Intake;
    Pass(Intake* intake, size_t requests, uint64_t bytes) : intake_(intake), requests_(requests), bytes_(bytes) {}
    Intake* intake_ = nullptr;
    size_t requests_ = 0;
    uint64_t bytes_ = 0;
  };

  // One request of that size. The error of Close once it is closed; RESOURCE_EXHAUSTED when those inside are too large
  // together already.
  absl::StatusOr<Pass> Enter(uint64_t bytes);
  // So many bytes more of a request that is inside, which has a pass of its own; also once it is closed.
  // RESOURCE_EXHAUSTED as above.
  absl::StatusOr<Pass> EnterMore(uint64_t bytes);
  // Lets nobody in from now on; who asks hears `why`. Later calls do nothing.
  void Close(const absl::Status& why);
  bool open() const;
  size_t inside() const;
  // False when some are still inside after `timeout`.
  bool AwaitNone(absl::Duration timeout) const;

 private:
  absl::Status CheckRoom(size_t others, uint64_t bytes) const ABSL_SHARED_LOCKS_REQUIRED(mutex_);

  const uint64_t bytes_max_;
  mutable absl::Mutex mutex_;
  absl::Status closed_ ABSL_GUARDED_BY(mutex_);  // OK: open
  size_t inside_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t bytes_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace enigma::coordinator
