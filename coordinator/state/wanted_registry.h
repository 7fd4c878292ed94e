#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <absl/base/thread_annotations.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/synchronization/mutex.h>

#include "coordinator/store/store.h"
#include "proto/cluster.pb.h"

namespace enigma::coordinator {

// One replica that an operator asked for and has not taken back, or that a request to a specialist had loaded
// (PlanOptions.on_demand) and nobody has unloaded since.
struct WantedPlacement {
  uint64_t id = 0;
  std::string model;
  enigma::v1::PlanOptions options;
  std::vector<std::string> last_nodes;  // where it stood last, stage by stage
  std::string state_reason;             // why it has no replica; not stored
  bool unplaceable = false;             // that was found when it was to be placed again; not stored
};

// What should be in service, across restarts (store keys "wanted/<id>"). Thread-safe.
class WantedRegistry {
 public:
  explicit WantedRegistry(Store& store) : store_(store) {}

  // DATA_LOSS names the key of a corrupt record.
  absl::Status Restore();

  // An id for a placement to come, so that its replica can name it before it is wanted.
  uint64_t ReserveId();
  absl::Status Add(WantedPlacement wanted);
  absl::Status SetNodes(uint64_t id, std::vector<std::string> nodes);
  void SetReason(uint64_t id, std::string_view reason);
  // Likewise, of one that could not be placed again.
  void SetUnplaceable(uint64_t id, std::string_view reason);
  // What was loaded on demand is an operator's from now on. NOT_FOUND when it is not wanted any more.
  absl::Status KeepForGood(uint64_t id);
  absl::Status RemoveModel(std::string_view model);
  absl::Status Remove(uint64_t id);

  [[nodiscard]] bool Contains(uint64_t id) const;
  std::vector<WantedPlacement> List() const;  // by id

 private:
  Store& store_;
  mutable absl::Mutex mutex_;
  std::map<uint64_t, WantedPlacement> wanted_ ABSL_GUARDED_BY(mutex_);
  uint64_t next_id_ ABSL_GUARDED_BY(mutex_) = 1;
};

}  // namespace enigma::coordinator
