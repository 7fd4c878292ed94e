#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
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
struct ChargedRequest;

// The tokens that a request which was let in is charged. Copies are of the same charge. Thread-safe, also beside the
// end of the request, after which it changes nothing. The KeyLimits must outlive it.
class TokenCharge {
 public:
  TokenCharge() = default;  // of a caller whose tokens are not limited

  bool is_limited() const { return request_ != nullptr; }
  // The prompts are tokenised: in place of the estimate the request is charged their tokens, and as many more as its
  // answers are still estimated at. RESOURCE_EXHAUSTED, with RetryAfter, where that is more than there is right now;
  // then the estimate stays until the request ends. INVALID_ARGUMENT, naming `field`, for prompts of more than a whole
  // minute's worth, which would never fit.
  absl::Status SetPrompt(std::string_view field, uint64_t prompt_tokens, uint64_t answer_tokens_estimated) const;

 private:
  friend class KeyLease;
  explicit TokenCharge(std::shared_ptr<ChargedRequest> request) : request_(std::move(request)) {}

  std::shared_ptr<ChargedRequest> request_;  // null: not limited
};

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

  TokenCharge charge() const;

 private:
  friend class KeyLimits;
  explicit KeyLease(std::shared_ptr<ChargedRequest> request) : request_(std::move(request)) {}

  std::shared_ptr<ChargedRequest> request_;  // null: nothing to end; shared with who tokenises its prompts
};

// Holds each key to its quota. Requests and tokens are buckets that hold one minute's worth and fill at an even rate,
// so a key that has rested may use a whole minute's worth at once. A request is charged the tokens that it is estimated
// to take before it is tokenised, then its prompt's own and an estimate of its answer (TokenCharge), and what it really
// took is settled when it ends: the rest comes back, and what was beyond the estimate is owed, which the next request
// waits for. An estimate beyond a whole minute's worth is charged as that, so that only a prompt can be too large for
// ever. A refused request is charged nothing. Thread-safe.
class KeyLimits {
 public:
  // The clock must outlive it.
  explicit KeyLimits(const Clock& clock) : clock_(clock) {}

  // RESOURCE_EXHAUSTED with a sentence, and RetryAfter, when one more request of this key is too much right now.
  absl::StatusOr<KeyLease> Admit(const ApiKey& key, uint64_t tokens_estimated);

  uint32_t running(const std::string& key_id) const;

 private:
  friend class KeyLease;
  friend class TokenCharge;
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
  absl::Status SetPrompt(ChargedRequest& request, std::string_view field, uint64_t prompt_tokens,
                         uint64_t answer_tokens);
  void End(ChargedRequest& request, uint64_t tokens_used);

  const Clock& clock_;
  mutable absl::Mutex mutex_;
  std::map<std::string, Use> uses_ ABSL_GUARDED_BY(mutex_);  // by key id; at most one for each key there is
};

// When to come again, for a refusal of KeyLimits; nothing for any other status.
std::optional<absl::Duration> RetryAfter(const absl::Status& status);

}  // namespace enigma::coordinator
