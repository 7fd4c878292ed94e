#pragma once

#include <algorithm>

#include <absl/time/time.h>

namespace enigma::cli {

// When a worker that ended is started again: after 1 s, then 2, 4 and so on up to 30 s; a worker that ran for a minute
// begins anew. Not thread-safe.
class RestartPolicy {
 public:
  void Started(absl::Time now) { started_ = now; }
  // When to start again.
  absl::Time Ended(absl::Time now) {
    if (now - started_ >= absl::Minutes(1)) wait_ = absl::Seconds(1);
    const absl::Time next = now + wait_;
    wait_ = std::min(wait_ * 2, absl::Seconds(30));
    return next;
  }

 private:
  absl::Time started_ = absl::InfinitePast();
  absl::Duration wait_ = absl::Seconds(1);
};

}  // namespace enigma::cli
