#pragma once

#include <map>
#include <string>

#include <absl/time/time.h>

namespace enigma::coordinator {

// Nodes that a job does without for a while, longer and longer while they go on giving trouble. Not thread-safe.
class LeftOut {
 public:
  struct Options {
    absl::Duration first = absl::Seconds(5);  // doubled each time
    absl::Duration most = absl::Minutes(10);
    absl::Duration healthy = absl::Minutes(1);  // after so long in an epoch, earlier trouble counts no more
  };
  LeftOut() : LeftOut(Options()) {}
  explicit LeftOut(const Options& options) : options_(options) {}

  void Trouble(const std::string& node, std::string reason, absl::Duration now);
  // It has been a part of an epoch for so long.
  void Serves(const std::string& node, absl::Duration for_time);

  // Not before this.
  [[nodiscard]] absl::Duration Until(const std::string& node) const;
  // Why nodes are left out now, in one line; empty: none is.
  [[nodiscard]] std::string Why(absl::Duration now) const;

 private:
  struct Entry {
    int times = 0;
    absl::Duration until;
    std::string reason;
  };
  Options options_;
  std::map<std::string, Entry> nodes_;
};

}  // namespace enigma::coordinator
