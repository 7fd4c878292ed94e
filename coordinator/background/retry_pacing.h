#pragma once

#include <optional>
#include <set>
#include <string>
#include <string_view>

#include <absl/time/time.h>

namespace enigma::coordinator {

// When one wanted placement may be tried again: at once when it breaks for the first time, later and later while it
// goes on breaking or cannot be placed, and from the beginning after it has served for a while. All times are on one
// monotonic clock. Not thread-safe.
class RetryPacing {
 public:
  struct Options {
    absl::Duration first = absl::Seconds(1);    // the second pause is twice that, and so on
    absl::Duration most = absl::Seconds(30);    // the longest pause
    absl::Duration healthy = absl::Minutes(1);  // after so long in service, earlier failures count no more
    absl::Duration remind = absl::Minutes(10);  // a failure for the same reason is told again after this
  };
  RetryPacing() = default;
  explicit RetryPacing(const Options& options) : options_(options) {}

  // It is in service. Said any number of times.
  void Serves(absl::Duration now);
  void Broke(absl::Duration now);
  void Began() { attempting_ = true; }
  void AttemptFailed(absl::Duration now);
  // A node came that may be just what was missing: it ends the pause. Each node does so once, so that one which comes
  // and goes does not keep the placement breaking.
  void NodeCame(std::string_view node, absl::Duration now);

  // Not before this.
  [[nodiscard]] absl::Duration due() const { return due_; }
  // Whether a failure for this reason is news. Reasons that differ in numbers alone are the same.
  bool IsNews(std::string_view reason, absl::Duration now);

 private:
  [[nodiscard]] absl::Duration Pause() const;

  Options options_;
  int failures_ = 0;  // in a row
  absl::Duration due_;
  std::optional<absl::Duration> serving_since_;
  bool attempting_ = false;
  bool node_came_ = false;  // during the attempt
  std::set<std::string, std::less<>> nodes_came_;
  std::string told_;
  absl::Duration told_at_;
};

}  // namespace enigma::coordinator
