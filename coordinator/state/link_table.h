#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include <absl/base/thread_annotations.h>
#include <absl/synchronization/mutex.h>
#include <absl/time/time.h>

namespace enigma::coordinator {

struct Link {
  double round_trip_seconds = 0;
  double bytes_per_second = 0;
};

// What was measured between nodes, and when. Links that did not work count, too, for a shorter while. Thread-safe;
// forgotten with the process.
class LinkTable {
 public:
  void Put(std::string_view from, std::string_view to, Link link, absl::Duration now);
  // It did not work, because of `why`.
  void PutBroken(std::string_view from, std::string_view to, std::string why, absl::Duration now);
  // Empty when never measured, when broken, or longer than `age_max` ago.
  std::optional<Link> Find(std::string_view from, std::string_view to, absl::Duration now,
                           absl::Duration age_max) const;
  // Why it did not work, if it was so at most `age_max` ago.
  std::optional<std::string> FindBroken(std::string_view from, std::string_view to, absl::Duration now,
                                        absl::Duration age_max) const;
  // These two have just lost each other: what was measured between them holds no more.
  void Suspect(std::string_view one, std::string_view other);
  [[nodiscard]] bool IsSuspect(std::string_view from, std::string_view to) const;
  // A node that went away may come back elsewhere.
  void Forget(std::string_view node);

 private:
  using Ends = std::pair<std::string, std::string>;
  struct Measured {
    Link link;
    std::string broken;  // why it does not work; empty: it does
    absl::Duration at;
  };
  mutable absl::Mutex mutex_;
  std::map<Ends, Measured> links_ ABSL_GUARDED_BY(mutex_);
  std::set<Ends> suspects_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace enigma::coordinator
