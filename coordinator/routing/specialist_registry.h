#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <absl/base/thread_annotations.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/synchronization/mutex.h>

#include "coordinator/routing/keyword_rules.h"
#include "coordinator/routing/specialists.h"

namespace enigma::coordinator {

// A registry that is in force, as one piece.
struct RoutingTable {
  Specialists specialists;
  KeywordRules keywords;
};
using RoutingTablePtr = std::shared_ptr<const RoutingTable>;  // requests go on with the one that they began with

// ReadSpecialists, with the keywords made ready.
absl::StatusOr<RoutingTablePtr> ReadRoutingTable(std::string_view yaml, std::string_view file,
                                                 const KnownModels& known);

// A registry that is checked, likewise.
absl::StatusOr<RoutingTablePtr> MakeRoutingTable(Specialists specialists);

// The registry that requests are routed by, exchanged as a whole. Thread-safe.
class SpecialistRegistry {
 public:
  // Null: none was ever given, or none was right.
  RoutingTablePtr table() const;
  // What was given, as it was.
  std::string text() const;
  // Why what was given last is not in force; OK when it is.
  absl::Status fault() const;

  // Who stood before the model in its place, as router or for its task, in registries that were in force: the last one
  // first, a few at most.
  std::vector<std::string> PredecessorsOf(const std::string& model) const;

  void Put(RoutingTablePtr table, std::string text);
  // What was given last is of no use; what was in force stays.
  void Reject(absl::Status why);

 private:
  using Predecessors = std::map<std::string, std::vector<std::string>>;  // by model

  Predecessors After(const Specialists& next) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  mutable absl::Mutex mutex_;
  RoutingTablePtr table_ ABSL_GUARDED_BY(mutex_);
  Predecessors predecessors_ ABSL_GUARDED_BY(mutex_);  // of models that are in force
  std::string text_ ABSL_GUARDED_BY(mutex_);
  absl::Status fault_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace enigma::coordinator
