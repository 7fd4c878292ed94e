#include "worker/pipeline/token_outbox.h"

#include <utility>

namespace enigma::worker {

bool TokenOutbox::Push(v1::TokenEvents events) {
  absl::MutexLock lock(&mutex_);
  if (closed_) return true;  // nobody wants them any more
  if (events_.size() + static_cast<size_t>(events.events_size()) > capacity_) return false;
  for (v1::TokenEvent& event : *events.mutable_events()) events_.push_back(std::move(event));
  return true;
}

uint64_t TokenOutbox::Attach() {
  absl::MutexLock lock(&mutex_);
  return ++reader_;
}

std::optional<v1::TokenEvents> TokenOutbox::Pop(uint64_t reader, absl::Duration timeout) {
  absl::MutexLock lock(&mutex_);
  const auto ready = [this, reader]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return !events_.empty() || closed_ || reader_ != reader;
  };
  mutex_.AwaitWithTimeout(absl::Condition(&ready), timeout);
  if (events_.empty() || reader_ != reader) return std::nullopt;
  v1::TokenEvents batch;
  for (v1::TokenEvent& event : events_) *batch.add_events() = std::move(event);
  events_.clear();
  return batch;
}

bool TokenOutbox::Attached(uint64_t reader) const {
  absl::MutexLock lock(&mutex_);
  return !closed_ && reader_ == reader;
}

void TokenOutbox::Close() {
  absl::MutexLock lock(&mutex_);
  closed_ = true;
}

}  // namespace enigma::worker
