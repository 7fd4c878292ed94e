#include <algorithm>
#include <vector>

#include "coordinator/placement/search.h"

namespace enigma::coordinator {
namespace {

// The cuts with the least sum of stage times among those whose every stage takes at most `slowest`; empty when there
// are none.
std::vector<uint32_t> CutWithin(const Problem& problem, const std::vector<size_t>& nodes, double slowest,
                                double* seconds) {
  const uint32_t layers = problem.layers();
  const size_t stages = nodes.size();
  std::vector<std::vector<double>> best(stages + 1, std::vector<double>(layers + 1, kNoWay));
  std::vector<std::vector<uint32_t>> from(stages + 1, std::vector<uint32_t>(layers + 1, 0));
  best[0][0] = 0;
  for (size_t stage = 0; stage < stages; ++stage) {
    for (uint32_t first = 0; first < layers; ++first) {
      if (best[stage][first] == kNoWay) continue;
      for (uint32_t last = first + 1; last <= layers; ++last) {
        const double taken = problem.DecodeSeconds(nodes[stage], first, last);
        if (taken > slowest || !problem.Fits(nodes[stage], first, last)) continue;
        if (best[stage][first] + taken < best[stage + 1][last]) {
          best[stage + 1][last] = best[stage][first] + taken;
          from[stage + 1][last] = first;
        }
      }
    }
  }
  *seconds = best[stages][layers];
  if (*seconds == kNoWay) return {};
  std::vector<uint32_t> cuts(stages + 1, layers);
  for (size_t stage = stages; stage > 0; --stage) cuts[stage - 1] = from[stage][cuts[stage]];
  return cuts;
}

}  // namespace

Pipeline Balance(const Problem& problem, const Pipeline& pipeline, double slack) {
  if (pipeline.nodes.size() < 2) return pipeline;
  double links = problem.PipelineSeconds(pipeline);
  double slowest = 0;
  for (size_t i = 0; i < pipeline.nodes.size(); ++i) {
    const double taken = problem.DecodeSeconds(pipeline.nodes[i], pipeline.cuts[i], pipeline.cuts[i + 1]);
    slowest = std::max(slowest, taken);
    links -= taken;
  }
  const double sum_most = pipeline.decode_seconds * (1 + slack) - links;

  // Every time that a stage can take is a candidate for the slowest one.
  std::vector<double> limits;
  for (const size_t node : pipeline.nodes) {
    for (uint32_t first = 0; first < problem.layers(); ++first) {
      for (uint32_t last = first + 1; last <= problem.layers(); ++last) {
        const double taken = problem.DecodeSeconds(node, first, last);
        if (taken <= slowest) limits.push_back(taken);
      }
    }
  }
  std::sort(limits.begin(), limits.end());
  Pipeline best = pipeline;
  size_t low = 0;
  size_t high = limits.size();
  while (low < high) {
    const size_t middle = low + (high - low) / 2;
    double seconds = 0;
    std::vector<uint32_t> cuts = CutWithin(problem, pipeline.nodes, limits[middle], &seconds);
    if (!cuts.empty() && seconds <= sum_most) {
      best.cuts = std::move(cuts);
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  best.decode_seconds = problem.PipelineSeconds(best);
  return best;
}

}  // namespace enigma::coordinator
