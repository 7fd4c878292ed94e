#include "discovery/rate_limiter.h"

#include <algorithm>

namespace enigma {

void RateLimiter::ForgetIdle(absl::Time now) {
  // A bucket that has had the time to fill up is as good as none. Sweeping costs the whole table: not for every packet.
  if (now - last_swept_ < absl::Seconds(1)) return;
  last_swept_ = now;
  const absl::Duration full_after = absl::Seconds(options_.burst / options_.per_second);
  std::erase_if(buckets_, [&](const auto& entry) { return now - entry.second.filled > full_after; });
}

bool RateLimiter::Allow(const std::string& key, absl::Time now) {
  auto found = buckets_.find(key);
  if (found == buckets_.end()) {
    if (buckets_.size() >= options_.keys_max) ForgetIdle(now);
    if (buckets_.size() >= options_.keys_max) return false;
    found = buckets_.emplace(key, Bucket{options_.burst, now}).first;
  }
  Bucket& bucket = found->second;
  const double elapsed = std::max(0.0, absl::ToDoubleSeconds(now - bucket.filled));
  bucket.tokens = std::min(options_.burst, bucket.tokens + elapsed * options_.per_second);
  bucket.filled = now;
  if (bucket.tokens < 1) return false;
  bucket.tokens -= 1;
  return true;
}

}  // namespace enigma
