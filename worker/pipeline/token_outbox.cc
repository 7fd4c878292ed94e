#include "worker/pipeline/token_outbox.h"

#include <utility>

namespace enigma::worker {
namespace {

constexpr size_t kMessageBytes = size_t{4} << 20;

size_t BytesOf(const v1::TokenEvent& event) { return sizeof(event) + event.ByteSizeLong(); }

}  // namespace

bool TokenOutbox::Push(v1::TokenEvents events) {
  absl::MutexLock lock(&mutex_);
  if (closed_) return true;  // nobody wants them any more
  size_t bytes = bytes_;
  for (const v1::TokenEvent& event : events.events()) bytes += BytesOf(event);
  if (bytes > bytes_max_) return false;
  bytes_ = bytes;
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
  for (size_t bytes = 0; !events_.empty() && bytes < kMessageBytes; events_.pop_front()) {
    const size_t size = BytesOf(events_.front());
    bytes += size;
    bytes_ -= size;
    *batch.add_events() = std::move(events_.front());
  }
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
