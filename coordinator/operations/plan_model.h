#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include <absl/status/statusor.h>

#include "coordinator/operations/control_plane.h"
#include "coordinator/placement/planner.h"

namespace enigma::coordinator {

// Of a model that is loaded without a wish for its context, at most.
inline constexpr uint32_t kDefaultContextMax = 8192;

struct PlannedModel {
  ModelPtr model;
  Placement placement;
  uint32_t context = 0;
  uint32_t kv_type = 0;     // engine::KvType
  uint32_t wire_dtype = 0;  // GGUF type number
};

// Memory by node id.
using NodeBytes = std::map<std::string, uint64_t>;

// Where the model would go now, or with so much memory free beside what is. An infeasible plan is no error: its reply
// says why. Measures links where the answer depends on them.
absl::StatusOr<PlannedModel> PlanModel(ControlPlane& plane, std::string_view model,
                                       const enigma::v1::PlanOptions& options, const NodeBytes& free_beside = {});

}  // namespace enigma::coordinator
