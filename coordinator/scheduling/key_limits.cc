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

KeyLease& KeyLease::operator=(KeyLease&& other) noexcept {
  if (this == &other) return *this;
  End(0);
  limits_ = std::exchange(other.limits_, nullptr);
  key_id_ = std::move(other.key_id_);
  tokens_charged_ = other.tokens_charged_;
  return *this;
}

void KeyLease::End(uint64_t tokens_used) {
  if (KeyLimits* limits = std::exchange(limits_, nullptr)) limits->End(key_id_, tokens_charged_, tokens_used);
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
  // A bucket is filled by additions that each round, hence the slack.
  constexpr double kSlack = 1e-6;
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
  return KeyLease(this, key.id, charged);
}

void KeyLimits::End(const std::string& key_id, uint64_t tokens_charged, uint64_t tokens_used) {
  absl::MutexLock lock(&mutex_);
  Use& use = uses_.at(key_id);
  --use.running;
  if (use.tokens_capacity <= 0) return;
  use.tokens.level = std::min(
      use.tokens_capacity, use.tokens.level + static_cast<double>(tokens_charged) - static_cast<double>(tokens_used));
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
