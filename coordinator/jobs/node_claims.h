#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>

#include <absl/base/thread_annotations.h>
#include <absl/synchronization/mutex.h>
#include <absl/time/time.h>

namespace enigma::coordinator {

// Which nodes each job has for itself, from when a rank is asked for there until that rank has gone: jobs side by side
// neither slow each other down nor count on the same memory. Thread-safe.
class NodeClaims {
 public:
  // Whose turn it is where two want the same node: whoever has none first, then the higher priority, then the older.
  struct Turn {
    bool has_members = false;
    int32_t priority = 0;
    int64_t submitted_unix_ms = 0;
  };
  // A node that two jobs may want is given to the later one only when the earlier ones have had so long to say so.
  static constexpr absl::Duration kPatience = absl::Milliseconds(500);

  // What the job would take now, were it free. Said anew whenever that may have changed.
  void Want(uint64_t job, const Turn& turn, const std::set<std::string>& nodes, absl::Duration now);
  // False: another job has the node, or goes before this one and wants it, or may yet. Who has not said what it wants
  // gives way to nobody.
  [[nodiscard]] bool Take(uint64_t job, const std::string& node, absl::Duration now);
  // The job wants nothing any more, and has nothing.
  void End(uint64_t job);
  // Gives up all that the job has but these.
  void Keep(uint64_t job, const std::set<std::string>& nodes);
  [[nodiscard]] std::set<std::string> OfOthers(uint64_t job) const;
  [[nodiscard]] std::set<std::string> Taken() const;  // of any job

 private:
  mutable absl::Mutex mutex_;
  struct Wants {
    Turn turn;
    std::set<std::string> nodes;
  };
  bool GoesBefore(uint64_t job, const Wants& wants, uint64_t other, const Wants& its) const;

  std::map<std::string, uint64_t> jobs_ ABSL_GUARDED_BY(mutex_);                // by node
  std::map<uint64_t, Wants> wants_ ABSL_GUARDED_BY(mutex_);                     // by job
  std::map<std::string, absl::Duration> wanted_since_ ABSL_GUARDED_BY(mutex_);  // nodes that nobody has
};

}  // namespace enigma::coordinator
