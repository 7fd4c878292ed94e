#include "worker/training/rank_orders.h"

#include <utility>

#include <absl/strings/str_cat.h>

namespace enigma::worker {

bool RankOrders::Begin(v1::BeginEpoch begin, absl::FunctionRef<void()> accepted) {
  Epoch epoch{std::move(begin), std::make_shared<StopSignal>()};
  std::shared_ptr<StopSignal> before;
  {
    absl::MutexLock lock(&mutex_);
    if (epoch.begin.epoch() <= told_ || ended_) return false;
    told_ = epoch.begin.epoch();
    control_ = 0;
    accepted();
    if (running_) before = running_->stop;
    waiting_ = std::move(epoch);
  }
  // Outside of the lock, as everywhere here: it calls what hangs on the signal.
  if (before != nullptr) before->Stop(absl::AbortedError("a new epoch begins"));
  return true;
}

bool RankOrders::Halt(const v1::HaltEpoch& halt) {
  std::shared_ptr<StopSignal> stop;
  {
    absl::MutexLock lock(&mutex_);
    if (halt.epoch() < told_) return false;
    if (running_) stop = running_->stop;
    if (waiting_) stop = waiting_->stop;
  }
  if (stop == nullptr) return false;
  stop->Stop(absl::AbortedError(halt.reason().empty() ? "the coordinator ended the epoch" : halt.reason()));
  return true;
}

void RankOrders::Control(uint64_t bits) {
  absl::MutexLock lock(&mutex_);
  if (running_ || waiting_) control_ |= bits;
}

void RankOrders::Export(v1::JobFile state) {
  absl::MutexLock lock(&mutex_);
  if (export_taken_) return;
  state_ = std::move(state);
  export_ = export_taken_ = true;
}

void RankOrders::ExportFailed() {
  absl::MutexLock lock(&mutex_);
  export_taken_ = false;
}

void RankOrders::End(const absl::Status& reason) {
  std::shared_ptr<StopSignal> running;
  {
    absl::MutexLock lock(&mutex_);
    if (running_) running = running_->stop;
    waiting_.reset();
    ended_ = true;
  }
  ending_.Stop(reason);
  if (running != nullptr) running->Stop(reason);
}

RankOrders::Next RankOrders::Await(absl::Duration timeout) {
  absl::MutexLock lock(&mutex_);
  const auto news = [this]()
                        ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return ended_ || waiting_.has_value() || export_; };
  mutex_.AwaitWithTimeout(absl::Condition(&news), timeout);
  Next next;
  if (ended_) return next;
  if (waiting_) {
    running_ = std::exchange(waiting_, std::nullopt);
    next.epoch = running_;
  } else {
    next.export_model = std::exchange(export_, false);
    next.state = state_;
  }
  return next;
}

bool RankOrders::Over() {
  absl::MutexLock lock(&mutex_);
  running_.reset();
  return !waiting_.has_value();
}

uint64_t RankOrders::control() const {
  absl::MutexLock lock(&mutex_);
  return control_;
}

void RankOrders::ClearControl(uint64_t bits) {
  absl::MutexLock lock(&mutex_);
  control_ &= ~bits;
}

}  // namespace enigma::worker
