#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>

#include <absl/base/thread_annotations.h>
#include <absl/synchronization/mutex.h>

namespace enigma::coordinator {

// Which nodes each job has for itself, from when a rank is asked for there until that rank has gone: jobs side by side
// neither slow each other down nor count on the same memory. Thread-safe.
class NodeClaims {
 public:
  // False: another job has the node.
  [[nodiscard]] bool Take(uint64_t job, const std::string& node);
  // Gives up all that the job has but these.
  void Keep(uint64_t job, const std::set<std::string>& nodes);
  [[nodiscard]] std::set<std::string> OfOthers(uint64_t job) const;

 private:
  mutable absl::Mutex mutex_;
  std::map<std::string, uint64_t> jobs_ ABSL_GUARDED_BY(mutex_);  // by node
};

}  // namespace enigma::coordinator
