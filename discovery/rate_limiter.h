#pragma once

#include <cstddef>
#include <string>
#include <unordered_map>

#include <absl/time/time.h>

namespace enigma {

// A token bucket for each of a bounded number of keys. Not thread-safe.
class RateLimiter {
 public:
  struct Options {
    double per_second = 200;
    double burst = 400;
    size_t keys_max = 1024;
  };
  explicit RateLimiter(const Options& options) : options_(options) {}

  // Whether one more is allowed now. When the table is full, keys at rest are forgotten; when none is, a new key is
  // refused, so that a flood from made-up addresses cannot push out those that are already known.
  bool Allow(const std::string& key, absl::Time now);

 private:
  struct Bucket {
    double tokens = 0;
    absl::Time filled;
  };
  void ForgetIdle(absl::Time now);

  const Options options_;
  std::unordered_map<std::string, Bucket> buckets_;
  absl::Time last_swept_ = absl::InfinitePast();
};

}  // namespace enigma
