#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <absl/base/thread_annotations.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/synchronization/mutex.h>

#include "coordinator/state/replica.h"
#include "coordinator/store/store.h"

namespace enigma::coordinator {

// The replicas there are now. They live as long as this process (what is wanted survives it, see WantedRegistry); only
// the counter of their ids is stored, so that no worker ever sees one id twice. Thread-safe.
class ReplicaRegistry {
 public:
  explicit ReplicaRegistry(Store& store) : store_(store) {}

  absl::StatusOr<uint64_t> NextId();

  void Add(Replica replica);
  // FAILED_PRECONDITION when it is not loading any more (its failure says why), NOT_FOUND when it is gone.
  absl::Status MarkReady(uint64_t id);
  // False when it is gone or has failed before; the first reason stays.
  bool MarkFailed(uint64_t id, std::string_view reason);
  void SetParts(const Replica& replica);
  void SetStall(uint64_t id, std::optional<Stall> stall);
  void Remove(uint64_t id);

  std::vector<Replica> List() const;  // by id
  std::optional<Replica> Find(uint64_t id) const;
  std::vector<Replica> OfModel(std::string_view model) const;
  bool Serves(std::string_view model) const;  // any replica of it does (Replica::serves)

 private:
  Store& store_;
  mutable absl::Mutex mutex_;
  std::map<uint64_t, Replica> replicas_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace enigma::coordinator
