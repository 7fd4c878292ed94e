#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>

#include <absl/base/thread_annotations.h>
#include <absl/synchronization/mutex.h>
#include <absl/time/time.h>

#include "proto/worker.pb.h"

namespace enigma::worker {

// Token events between a last stage's compute thread and the stream to the coordinator. One reader at a time: who
// attaches later takes the place of the earlier. Thread-safe.
class TokenOutbox {
 public:
  explicit TokenOutbox(size_t bytes_max = size_t{64} << 20) : bytes_max_(bytes_max) {}

  // False when nobody has fetched for so long that the outbox is full.
  [[nodiscard]] bool Push(v1::TokenEvents events);
  // Becomes the reader; the number is to be shown to Pop.
  uint64_t Attach();
  // Waits for events, at most `timeout`; what waits comes in one message, as far as that is of a sensible size. Empty:
  // nothing came; see Attached.
  std::optional<v1::TokenEvents> Pop(uint64_t reader, absl::Duration timeout);
  // Whether this reader is still the one, and the outbox open.
  bool Attached(uint64_t reader) const;
  void Close();

 private:
  const size_t bytes_max_;  // of all events that wait
  mutable absl::Mutex mutex_;
  std::deque<v1::TokenEvent> events_ ABSL_GUARDED_BY(mutex_);
  size_t bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t reader_ ABSL_GUARDED_BY(mutex_) = 0;
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace enigma::worker
