#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include <absl/base/thread_annotations.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/synchronization/mutex.h>
#include <absl/time/time.h>

#include "base/clock.h"
#include "coordinator/state/api_key.h"

namespace enigma::coordinator {

class KeyLimits;

// One request that a key's limits have let in; ends once, at the latest when it is destroyed. Move-only, not
// thread-safe. The KeyLimits must outlive it.
class KeyLease {
 public:
  KeyLease() = default;  // of a caller without limits
  KeyLease(KeyLease&& other) noexcept { *this = std::move(other); }
  KeyLease& operator=(KeyLease&& other) noexcept;
  ~KeyLease() { End(0); }

  // The request is over and took so many tokens, of its prompt and its answer. Later calls do nothing.
  void End(uint64_t tokens_used);

 private:
  friend class KeyLimits;
  KeyLease(KeyLimits* limits, std::string key_id, uint64_t tokens_charged)
      : limits_(limits), key_id_(std::move(key_id)), tokens_charged_(tokens_charged) {}

  KeyLimits* limits_ = nullptr;  // null: nothing to end
  std::string key_id_;
  uint64_t tokens_charged_ = 0;
};

// Holds each key to its quota. Requests and tokens are buckets that hold one minute's worth and fill at an even rate,
// so a key that has rested may use a whole minute's worth at once. A request is charged the tokens that it is estimated
// to take, and what it really took is settled when it ends: the rest comes back, and what was beyond the estimate is
// owed, which the next request waits for. An estimate beyond a whole minute's worth is charged as that, so that no
// request is too large for ever. A refused request is charged nothing. Thread-safe.
class KeyLimits {
 public:
  // The clock must outlive it.
  explicit KeyLimits(const Clock& clock) : clock_(clock) {}

  // RESOURCE_EXHAUSTED with a sentence, and RetryAfter, when one more request of this key is too much right now.
  absl::StatusOr<KeyLease> Admit(const ApiKey& key, uint64_t tokens_estimated);

  uint32_t running(const std::string& key_id) const;

 private:
  friend class KeyLease;
  struct Bucket {
    double level = 0;
    absl::Duration filled;  // when, on the monotonic clock
  };
  struct Use {
    Bucket requests;
    Bucket tokens;
    double tokens_capacity = 0;
    uint32_t running = 0;
  };
  Use& UseOf(const ApiKey& key, absl::Duration now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void End(const std::string& key_id, uint64_t tokens_charged, uint64_t tokens_used);

  const Clock& clock_;
  mutable absl::Mutex mutex_;
  std::map<std::string, Use> uses_ ABSL_GUARDED_BY(mutex_);  // by key id; at most one for each key there is
};

// When to come again, for a refusal of KeyLimits; nothing for any other status.
std::optional<absl::Duration> RetryAfter(const absl::Status& status);

}  // namespace enigma::coordinator
