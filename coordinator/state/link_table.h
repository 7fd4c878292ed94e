#pragma once

#include <map>
#include <optional>
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

// What was measured between nodes, and when. Thread-safe; forgotten with the process.
class LinkTable {
 public:
  void Put(std::string_view from, std::string_view to, Link link, absl::Duration now);
  // Empty when never measured, or longer than `age_max` ago.
  std::optional<Link> Find(std::string_view from, std::string_view to, absl::Duration now,
                           absl::Duration age_max) const;
  // A node that went away may come back elsewhere.
  void Forget(std::string_view node);

 private:
  struct Measured {
    Link link;
    absl::Duration at;
  };
  mutable absl::Mutex mutex_;
  std::map<std::pair<std::string, std::string>, Measured> links_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace enigma::coordinator
