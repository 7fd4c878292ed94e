#include "coordinator/scheduling/key_limits.h"

#include <algorithm>
#include <cmath>
#include <string_view>

#include <absl/strings/cord.h>
#include <absl/strings/numbers.h>
#include <absl/strings/str_cat.h>

#include "base/text.h"

namespace enigma::coordinator {
namespace {

constexpr char kRetryPayload[] = "enigma/retry-after-ms";
constexpr double kSecondsPerMinute = 60;
// Of a whole bucket, which is filled by additions that each round.
constexpr double kSlack = 1e-6;
// Nobody knows when a running request will end.
constexpr absl::Duration kWhenOneEnds = absl::Seconds(1);

absl::Status Refusal(const ApiKey& key, std::string_view what, absl::Duration retry_after) {
  const int64_t ms = std::max<int64_t>(1, absl::ToInt64Milliseconds(absl::Ceil(retry_after, absl::Milliseconds(1))));
  absl::Status status =
      absl::ResourceExhaustedError(absl::StrCat("the API key '", key.name, "' has reached its limit of ", ToAbsl(what),
                                                "; try again in ", absl::FormatDuration(absl::Milliseconds(ms))));
  status.SetPayload(kRetryPayload, absl::Cord(absl::StrCat(ms)));
  return status;
}

// How long a bucket at `level` takes to hold `needed`.
absl::Duration TimeToFill(double level, double needed, double per_minute) {
  return absl::Seconds((needed - level) * kSecondsPerMinute / per_minute);
}

}  // namespace

// One that was let in. Constant but for what the mutex of its limits guards.
struct ChargedRequest {
  KeyLimits* limits = nullptr;
  ApiKey key;
  uint64_t tokens = 0;  // guarded: charged so far
  bool ended = false;   // guarded
};

absl::Status TokenCharge::SetPrompt(std::string_view field, uint64_t prompt_tokens,
                                    uint64_t answer_tokens_estimated) const {
  if (request_ == nullptr) return absl::OkStatus();
  return request_->limits->SetPrompt(*request_, field, prompt_tokens, answer_tokens_estimated);
}

TokenCharge KeyLease::charge() const {
  const bool is_limited = request_ != nullptr && request_->key.quota.tokens_per_minute > 0;
  return is_limited ? TokenCharge(request_) : TokenCharge();
}

KeyLease& KeyLease::operator=(KeyLease&& other) noexcept {
  if (this == &other) return *this;
  End(0);
  request_ = std::exchange(other.request_, nullptr);
  return *this;
}

void KeyLease::End(uint64_t tokens_used) {
  if (const auto request = std::exchange(request_, nullptr)) request->limits->End(*request, tokens_used);
}

KeyLimits::Use& KeyLimits::UseOf(const ApiKey& key, absl::Duration now) {
  const auto requests = static_cast<double>(key.quota.requests_per_minute);
  const auto tokens = static_cast<double>(key.quota.tokens_per_minute);
  const auto [found, is_new] = uses_.try_emplace(key.id);
  Use& use = found->second;
  if (is_new) use = {{requests, now}, {tokens, now}, tokens, 0};
  const auto fill = [now](Bucket& bucket, double capacity) {
    const double seconds = absl::ToDoubleSeconds(now - bucket.filled);
    bucket.level = std::min(capacity, bucket.level + seconds * capacity / kSecondsPerMinute);
    bucket.filled = now;
  };
  fill(use.requests, requests);
  fill(use.tokens, tokens);
  return use;
}

absl::StatusOr<KeyLease> KeyLimits::Admit(const ApiKey& key, uint64_t tokens_estimated) {
  const KeyQuota& quota = key.quota;
  absl::MutexLock lock(&mutex_);
  Use& use = UseOf(key, clock_.Monotonic());
  if (quota.concurrency_max > 0 && use.running >= quota.concurrency_max) {
    return Refusal(key, absl::StrCat(quota.concurrency_max, " requests at a time"), kWhenOneEnds);
  }
  if (quota.requests_per_minute > 0 && use.requests.level < 1 - kSlack) {
    return Refusal(key, absl::StrCat(quota.requests_per_minute, " requests a minute"),
                   TimeToFill(use.requests.level, 1, quota.requests_per_minute));
  }
  uint64_t charged = 0;
  if (quota.tokens_per_minute > 0) {
    charged = std::min(tokens_estimated, quota.tokens_per_minute);
    // What is owed is waited for even by a request that takes no tokens itself.
    const double needed = static_cast<double>(charged);
    if (use.tokens.level < needed - kSlack * use.tokens_capacity) {
      return Refusal(key, absl::StrCat(quota.tokens_per_minute, " tokens a minute"),
                     TimeToFill(use.tokens.level, needed, static_cast<double>(quota.tokens_per_minute)));
    }
    use.tokens.level -= needed;
  }
  if (quota.requests_per_minute > 0) use.requests.level -= 1;
  ++use.running;
  return KeyLease(std::make_shared<ChargedRequest>(ChargedRequest{this, key, charged}));
}

absl::Status KeyLimits::SetPrompt(ChargedRequest& request, std::string_view field, uint64_t prompt_tokens,
                                  uint64_t answer_tokens) {
  const ApiKey& key = request.key;
  const uint64_t per_minute = key.quota.tokens_per_minute;
  if (prompt_tokens > per_minute) {
    return absl::InvalidArgumentError(absl::StrCat(ToAbsl(field), ": ", prompt_tokens, " tokens are more than the ",
                                                   per_minute, " tokens a minute that the API key '", key.name,
                                                   "' may use, and would never fit; send fewer at a time"));
  }
  absl::MutexLock lock(&mutex_);
  if (request.ended) return absl::OkStatus();
  Use& use = UseOf(key, clock_.Monotonic());
  const uint64_t needed = std::min(prompt_tokens + answer_tokens, per_minute);
  // Of more than it holds already; what others owe meanwhile is not asked of it a second time.
  const double more = static_cast<double>(needed) - static_cast<double>(request.tokens);
  if (more > 0 && use.tokens.level < more - kSlack * use.tokens_capacity) {
    return Refusal(key, absl::StrCat(per_minute, " tokens a minute"),
                   TimeToFill(use.tokens.level, more, static_cast<double>(per_minute)));
  }
  use.tokens.level = std::min(use.tokens_capacity, use.tokens.level - more);
  request.tokens = needed;
  return absl::OkStatus();
}

void KeyLimits::End(ChargedRequest& request, uint64_t tokens_used) {
  absl::MutexLock lock(&mutex_);
  request.ended = true;
  Use& use = uses_.at(request.key.id);
  --use.running;
  if (use.tokens_capacity <= 0) return;
  use.tokens.level = std::min(
      use.tokens_capacity, use.tokens.level + static_cast<double>(request.tokens) - static_cast<double>(tokens_used));
}

uint32_t KeyLimits::running(const std::string& key_id) const {
  absl::MutexLock lock(&mutex_);
  const auto found = uses_.find(key_id);
  return found == uses_.end() ? 0 : found->second.running;
}

std::optional<absl::Duration> RetryAfter(const absl::Status& status) {
  const auto payload = status.GetPayload(kRetryPayload);
  int64_t ms = 0;
  if (!payload || !absl::SimpleAtoi(std::string(*payload), &ms)) return std::nullopt;
  return absl::Milliseconds(ms);
}

}  // namespace enigma::coordinator
