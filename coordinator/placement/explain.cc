#include "coordinator/placement/explain.h"

#include <algorithm>
#include <numeric>
#include <vector>

#include <absl/strings/str_cat.h>
#include <absl/strings/str_format.h>

namespace enigma::coordinator {
namespace {

// Of all stages of one layer.
uint64_t LeastStageBytes(const Problem& problem) {
  uint64_t least = problem.StageBytes(0, 1);
  for (uint32_t layer = 1; layer < problem.layers(); ++layer) {
    least = std::min(least, problem.StageBytes(layer, layer + 1));
  }
  return least;
}

uint64_t UsableBytes(const Problem& problem) {
  uint64_t usable = 0;
  for (size_t node = 0; node < problem.node_count(); ++node) usable += problem.UsableBytes(node);
  return usable;
}

// Whether some cut fits, whatever its speed. Exact for the few nodes of the exact search; beyond them nodes are taken
// from the roomiest down.
bool AnyCutFits(const Problem& problem, uint32_t stages) {
  const size_t nodes = problem.node_count();
  const uint32_t layers = problem.layers();
  const auto reach = [&](size_t node, uint32_t from) {
    uint32_t to = from;
    while (to < layers && problem.Fits(node, from, to + 1)) ++to;
    return to;
  };
  if (stages > 1) {
    size_t willing = 0;
    for (size_t node = 0; node < nodes; ++node)
      willing += problem.UsableBytes(node) >= LeastStageBytes(problem) ? 1 : 0;
    if (willing < stages) return false;
  }
  if (nodes <= 10) {
    std::vector<int64_t> done(size_t{1} << nodes, -1);
    done[0] = 0;
    for (size_t used = 0; used < done.size(); ++used) {
      if (done[used] < 0) continue;
      const auto count = static_cast<uint32_t>(__builtin_popcountll(used));
      if (stages != 0 && count >= stages) continue;
      for (size_t node = 0; node < nodes; ++node) {
        if (used >> node & 1U) continue;
        const auto from = static_cast<uint32_t>(done[used]);
        const uint32_t to = reach(node, from);
        if (to == layers) return true;
        if (to == from) continue;
        int64_t& best = done[used | size_t{1} << node];
        best = std::max<int64_t>(best, to);
      }
    }
    return false;
  }
  std::vector<size_t> order(nodes);
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return problem.UsableBytes(a) > problem.UsableBytes(b); });
  if (stages != 0) order.resize(std::min<size_t>(stages, nodes));
  uint32_t done = 0;
  for (const size_t node : order) done = reach(node, done);
  return done == layers;
}

// The least bytes that each candidate would have to have more.
uint64_t MissingPerNode(const Problem& problem, uint32_t stages) {
  uint64_t low = 0;
  uint64_t high = problem.StageBytes(0, problem.layers());
  while (low + 1 < high) {
    const uint64_t middle = low + (high - low) / 2;
    (AnyCutFits(problem.WithMoreMemory(middle), stages) ? high : low) = middle;
  }
  return high;
}

// For each usable node of a plan that failed, what stood against it. The same cases as in WhyInfeasible.
std::string WhatIsMissing(const PlacementSnapshot& snapshot, const Problem& problem) {
  const uint32_t layers = problem.layers();
  const size_t nodes = problem.node_count();
  if (snapshot.stages > layers) {
    return absl::StrCat("the model has fewer layers (", layers, ") than the ", snapshot.stages, " stages asked for");
  }
  if (snapshot.stages > nodes) {
    return absl::StrCat("there are fewer usable nodes (", nodes, ") than the ", snapshot.stages, " stages asked for");
  }
  if (UsableBytes(problem) < problem.StageBytes(0, layers)) return "all usable nodes together have too little memory";
  if (snapshot.stages == 0) return "no cut into whole layers fits the nodes' memory";
  return absl::StrCat("no cut into ", snapshot.stages, " stages fits the nodes' memory");
}

std::string LayersText(uint32_t first, uint32_t last) {
  return last == first + 1 ? absl::StrCat("layer ", first) : absl::StrCat("layers ", first, " to ", last - 1);
}

std::string WhyOut(const PlacementSnapshot& snapshot, const Problem& problem, size_t node,
                   const std::optional<Pipeline>& pipeline) {
  const uint64_t least = LeastStageBytes(problem);
  const uint64_t usable = problem.UsableBytes(node);
  if (usable < least) {
    return absl::StrCat("its usable memory of ", BytesText(usable), " holds no layer: the smallest stage needs ",
                        BytesText(least));
  }
  if (!pipeline) return absl::StrCat("usable, but ", WhatIsMissing(snapshot, problem));
  const double speed = problem.nodes()[node].bytes_per_second / 1e9;
  if (snapshot.stages != 0) {
    return absl::StrFormat(
        "not needed: %d stages were asked for, and the nodes chosen are faster together (%.1f GB/s here)",
        snapshot.stages, speed);
  }
  if (pipeline->nodes.size() == 1) {
    const CandidateNode& chosen = problem.nodes()[pipeline->nodes.front()];
    if (problem.nodes()[node].stages > chosen.stages && problem.Fits(node, 0, problem.layers())) {
      return absl::StrFormat(
          "not needed: the model fits on one node, and this one has more to do (%d stages, %.1f GB/s)",
          problem.nodes()[node].stages, speed);
    }
    return problem.Fits(node, 0, problem.layers())
               ? absl::StrFormat("not needed: the model fits on one node, and this one is not faster (%.1f GB/s)",
                                 speed)
               : "not needed: the model fits on one node; a further stage adds capacity, not speed";
  }
  return absl::StrFormat("would only slow a token down: %.1f GB/s, and a further link", speed);
}

}  // namespace

std::string BytesText(uint64_t bytes) {
  const std::string plain = absl::StrCat(bytes);
  std::string digits;
  for (size_t i = 0; i < plain.size(); ++i) {
    if (i > 0 && (plain.size() - i) % 3 == 0) digits += ',';
    digits += plain[i];
  }
  constexpr double kKi = 1024.0;
  const auto value = static_cast<double>(bytes);
  if (value >= kKi * kKi * kKi) return absl::StrFormat("%s bytes (%.2f GiB)", digits, value / (kKi * kKi * kKi));
  if (value >= kKi * kKi) return absl::StrFormat("%s bytes (%.1f MiB)", digits, value / (kKi * kKi));
  return absl::StrCat(digits, " bytes");
}

std::string WhyInfeasible(const PlacementSnapshot& snapshot, const Problem& problem) {
  const uint32_t layers = problem.layers();
  const size_t nodes = problem.node_count();
  if (nodes == 0) {
    return snapshot.excluded.empty() ? "no node is there: start one with `enigma worker`"
                                     : "no node may be used; see the reason given for each";
  }
  if (snapshot.stages > layers) {
    return absl::StrCat(snapshot.stages, " stages were asked for, but the model has only ", layers, " layers");
  }
  if (snapshot.stages > nodes) {
    return absl::StrCat(snapshot.stages, " stages need ", snapshot.stages, " nodes; ", nodes,
                        nodes == 1 ? " is usable" : " are usable");
  }
  const uint64_t usable = UsableBytes(problem);
  const uint64_t weights = problem.WeightBytes(0, layers);
  const uint64_t kv = problem.KvBytes(0, layers);
  const uint64_t workspace = problem.WorkspaceBytes(0, layers);
  const uint64_t needed = weights + kv + workspace;
  const std::string parts = absl::StrCat("the model needs ", BytesText(needed), " (weights ", weights,
                                         ", keys and values for one sequence of ", snapshot.context, " tokens ", kv,
                                         ", workspace ", workspace, ")");
  const std::string have = absl::StrCat(nodes, nodes == 1 ? " node has " : " nodes have ", BytesText(usable),
                                        " usable (free memory less ", static_cast<int>(kHeadroom * 100), " %)");
  if (usable < needed) return absl::StrCat(parts, "; ", have, ": ", BytesText(needed - usable), " are missing");
  const uint64_t missing = MissingPerNode(problem, snapshot.stages);
  return absl::StrCat(parts, "; ", have, ", but no cut into ",
                      snapshot.stages == 0 ? std::string("whole layers") : absl::StrCat(snapshot.stages, " stages"),
                      " fits: ", BytesText(missing), " more on every node would do");
}

void AddVerdicts(const PlacementSnapshot& snapshot, const Problem& problem, const std::optional<Pipeline>& pipeline,
                 enigma::v1::PlanReply& reply) {
  for (size_t node = 0; node < problem.node_count(); ++node) {
    auto* verdict = reply.add_verdicts();
    verdict->set_node_id(problem.nodes()[node].id);
    if (pipeline) {
      const auto found = std::find(pipeline->nodes.begin(), pipeline->nodes.end(), node);
      if (found != pipeline->nodes.end()) {
        const auto stage = static_cast<size_t>(found - pipeline->nodes.begin());
        verdict->set_used(true);
        verdict->set_reason(
            absl::StrCat("stage ", stage, ", ", LayersText(pipeline->cuts[stage], pipeline->cuts[stage + 1])));
        continue;
      }
    }
    verdict->set_reason(WhyOut(snapshot, problem, node, pipeline));
  }
  for (const PlacementSnapshot::Excluded& node : snapshot.excluded) {
    auto* verdict = reply.add_verdicts();
    verdict->set_node_id(node.id);
    verdict->set_reason(node.reason);
  }
}

}  // namespace enigma::coordinator
