#include "worker/training/rank_reporter.h"

#include <algorithm>
#include <utility>

namespace enigma::worker {
namespace {

constexpr size_t kLastingMax = 4096;

}  // namespace

void RankReporter::Stand(v1::RankStanding standing) {
  absl::MutexLock lock(&mutex_);
  if (standing.epoch() < accepted_) {
    // Of an epoch that was taken over: the coordinator thinks of the next one already. The step is news nevertheless.
    standing_.set_step(standing.step());
    return;
  }
  standing_ = std::move(standing);
  PushStanding();
}

void RankReporter::AtStep(uint64_t step) {
  absl::MutexLock lock(&mutex_);
  standing_.set_step(step);
}

void RankReporter::Report(v1::RankEvent event) {
  absl::MutexLock lock(&mutex_);
  Push({std::move(event)});
}

void RankReporter::ReportLasting(v1::RankEvent event) {
  absl::MutexLock lock(&mutex_);
  if (event.has_validation()) {
    if (lasting_.size() >= kLastingMax) lasting_.pop_front();
  } else {
    std::erase_if(lasting_, [&](const v1::RankEvent& earlier) { return earlier.event_case() == event.event_case(); });
  }
  lasting_.push_back(event);
  Push({std::move(event), /*lasting=*/true});
}

void RankReporter::Accept(uint64_t epoch) {
  absl::MutexLock lock(&mutex_);
  accepted_ = epoch;
  std::erase_if(lasting_, [](const v1::RankEvent& earlier) { return earlier.has_validation(); });
  standing_.set_phase(v1::RANK_RUNNING);
  standing_.set_epoch(epoch);
  standing_.clear_held();
  standing_.clear_reason();
  standing_.clear_lost_node();
  PushStanding();
}

void RankReporter::Repeat() {
  absl::MutexLock lock(&mutex_);
  PushStanding();
}

v1::RankStanding RankReporter::standing() const {
  absl::MutexLock lock(&mutex_);
  return standing_;
}

uint64_t RankReporter::Attach() {
  absl::MutexLock lock(&mutex_);
  // Standings of the past would only mislead, and what lasts comes again from its own list.
  std::deque<Item> waiting;
  waiting.swap(events_);
  handed_out_ = false;
  PushStanding();
  for (const v1::RankEvent& event : lasting_) events_.push_back({event, /*lasting=*/true});
  for (Item& item : waiting) {
    if (!item.event.has_standing() && !item.lasting) Push(std::move(item));
  }
  return reader_ = ++readers_;
}

void RankReporter::Detach(uint64_t reader) {
  absl::MutexLock lock(&mutex_);
  if (reader_ != reader) return;
  reader_ = 0;
  detached_at_ = clock_.Monotonic();
}

RankReporter::Wait RankReporter::Next(uint64_t reader, absl::Duration timeout, v1::RankEvent& event) {
  absl::MutexLock lock(&mutex_);
  if (reader_ != reader) return Wait::kEnded;
  if (handed_out_) {
    if (events_.front().event.has_failed()) failure_delivered_ = true;
    events_.pop_front();
    handed_out_ = false;
  }
  const auto news = [this, reader]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return !events_.empty() || closed_ || reader_ != reader;
  };
  mutex_.AwaitWithTimeout(absl::Condition(&news), timeout);
  if (reader_ != reader) return Wait::kEnded;
  if (events_.empty()) return closed_ ? Wait::kEnded : Wait::kQuiet;
  event = events_.front().event;
  handed_out_ = true;
  return Wait::kEvent;
}

void RankReporter::Close() {
  absl::MutexLock lock(&mutex_);
  closed_ = true;
}

absl::Duration RankReporter::Unread() const {
  absl::MutexLock lock(&mutex_);
  return reader_ != 0 ? absl::ZeroDuration() : clock_.Monotonic() - detached_at_;
}

bool RankReporter::FailureDelivered() const {
  absl::MutexLock lock(&mutex_);
  return failure_delivered_;
}

void RankReporter::Push(Item item) {
  if (closed_) return;
  if (events_.size() >= events_max_) {
    // The oldest step; where there is none, the oldest that is not being written.
    const auto first = events_.begin() + (handed_out_ ? 1 : 0);
    auto victim = std::find_if(first, events_.end(), [](const Item& waiting) { return waiting.event.has_step(); });
    events_.erase(victim == events_.end() ? first : victim);
  }
  events_.push_back(std::move(item));
}

void RankReporter::PushStanding() {
  Item item;
  *item.event.mutable_standing() = standing_;
  Push(std::move(item));
}

}  // namespace enigma::worker
