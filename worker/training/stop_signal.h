#pragma once

#include <functional>
#include <stop_token>

#include <absl/base/thread_annotations.h>
#include <absl/status/status.h>
#include <absl/synchronization/mutex.h>
#include <absl/synchronization/notification.h>

namespace enigma::worker {

// Tells somebody's work on another thread to end, and why. Thread-safe.
class StopSignal {
 public:
  // The first reason, an error, stays.
  void Stop(const absl::Status& reason) {
    {
      absl::MutexLock lock(&mutex_);
      if (!reason_.ok()) return;
      reason_ = reason;
    }
    source_.request_stop();
    stopped_.Notify();
  }
  absl::Status reason() const {  // OK: goes on
    absl::MutexLock lock(&mutex_);
    return reason_;
  }
  bool stopped() const { return !reason().ok(); }
  // Notified a little after `stopped`, once what hangs on the signal has been called.
  const absl::Notification& notification() const { return stopped_; }

  // Calls `action` when the signal comes, on the thread that gives it, or at once where it has come already; as long as
  // this object lives, whose end waits for a call in progress.
  class Action {
   public:
    Action(const StopSignal& signal, std::function<void()> action) : callback_(signal.token(), std::move(action)) {}

   private:
    std::stop_callback<std::function<void()>> callback_;
  };

 private:
  std::stop_token token() const { return source_.get_token(); }

  std::stop_source source_;
  absl::Notification stopped_;
  mutable absl::Mutex mutex_;
  absl::Status reason_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace enigma::worker
