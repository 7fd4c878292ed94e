#pragma once

#include <cstdint>
#include <limits>
#include <optional>

#include "coordinator/placement/problem.h"

namespace enigma::coordinator {

// Seconds to where no stages lead.
inline constexpr double kNoWay = std::numeric_limits<double>::infinity();

// Up to this many candidates the search is exact.
inline constexpr size_t kExactNodesMax = 10;

// The pipeline with the least time per decoded token, or none when nothing fits. `stages` forces their number; 0 leaves
// it open, and of equal pipelines the one with fewer stages wins. Pure functions.

// Dynamic programme over (first node, set of nodes used, last node, layers done); at most kExactNodesMax nodes.
std::optional<Pipeline> SearchExact(const Problem& problem, uint32_t stages);

// Keeps the `width` most promising beginnings for each number of layers done. May miss the best, and (with memory very
// tight) a pipeline that exists.
std::optional<Pipeline> SearchBeam(const Problem& problem, uint32_t stages, size_t width = 64);

// No pipeline decodes a token faster: all weights from the fastest nodes that can hold them, links for nothing.
double DecodeSecondsAtLeast(const Problem& problem);

// Moves the cuts of `pipeline` (same nodes in the same order) so that the slowest stage is as fast as can be, while a
// token of one stream takes at most (1 + `slack`) times as long. Stages then wait less for each other under load.
Pipeline Balance(const Problem& problem, const Pipeline& pipeline, double slack);

}  // namespace enigma::coordinator
