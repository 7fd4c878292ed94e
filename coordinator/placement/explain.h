#pragma once

#include <string>

#include "coordinator/placement/planner.h"

namespace enigma::coordinator {

// "12,345 bytes (12.1 KiB)".
std::string BytesText(uint64_t bytes);

// Why no pipeline exists: by how many bytes, or because too few nodes or layers are there.
std::string WhyInfeasible(const PlacementSnapshot& snapshot, const Problem& problem);

// Why each candidate is in `pipeline` or out of it.
void AddVerdicts(const PlacementSnapshot& snapshot, const Problem& problem, const std::optional<Pipeline>& pipeline,
                 enigma::v1::PlanReply& reply);

}  // namespace enigma::coordinator
