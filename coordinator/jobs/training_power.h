#pragma once

#include <string>
#include <vector>

#include "coordinator/jobs/job_estimate.h"
#include "coordinator/jobs/job_planner.h"
#include "coordinator/operations/control_plane.h"

namespace enigma::coordinator {

struct MeasuredPower {
  TrainingPower power;
  std::vector<std::string> nodes;    // labels, in the order of the ranks
  std::vector<std::string> reasons;  // a sentence for each live node that may have no rank, and each link that broke
};

// The nodes that could train now, and what they can do with factors of this precision. Has them measure the links among
// each other where that was not done lately, which takes seconds.
MeasuredPower MeasurePower(ControlPlane& plane, const RankNeeds& needs, engine::ProductPrecision precision);

}  // namespace enigma::coordinator
