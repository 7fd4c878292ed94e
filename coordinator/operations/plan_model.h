#pragma once

#include <cstdint>
#include <string_view>

#include <absl/status/statusor.h>

#include "coordinator/operations/control_plane.h"
#include "coordinator/placement/planner.h"

namespace enigma::coordinator {

struct PlannedModel {
  ModelPtr model;
  Placement placement;
  uint32_t context = 0;
  uint32_t kv_type = 0;     // engine::KvType
  uint32_t wire_dtype = 0;  // GGUF type number
};

// Where the model would go now. An infeasible plan is no error: its reply says why. Measures links where the answer
// depends on them.
absl::StatusOr<PlannedModel> PlanModel(ControlPlane& plane, std::string_view model,
                                       const enigma::v1::PlanOptions& options);

}  // namespace enigma::coordinator
