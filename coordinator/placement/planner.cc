#include "coordinator/placement/planner.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include <absl/strings/str_cat.h>
#include <absl/strings/str_format.h>

#include "coordinator/placement/encoder_place.h"
#include "coordinator/placement/explain.h"
#include "coordinator/placement/search.h"

namespace enigma::coordinator {
namespace {

constexpr uint32_t kKvBlockTokens = 32;
// How much longer a token of one stream may take so that stages are even: an operator who forces a cut is after the
// throughput of many streams.
constexpr double kSlackForced = 0.25;
constexpr double kSlackOpen = 0.02;

uint32_t BlocksFor(uint32_t context, uint32_t sequences) {
  return (context + kKvBlockTokens - 1) / kKvBlockTokens * std::max(sequences, 1U);
}

std::vector<std::vector<Link>> LinksOf(const PlacementSnapshot& snapshot) {
  if (!snapshot.links.empty()) return snapshot.links;
  return {snapshot.candidates.size(), std::vector<Link>(snapshot.candidates.size())};
}

Problem ProblemFor(const PlacementSnapshot& snapshot, uint32_t sequences) {
  return {snapshot.shape, snapshot.candidates, LinksOf(snapshot), BlocksFor(snapshot.context, sequences)};
}

std::optional<size_t> FastestNodeThatHoldsAll(const Problem& problem) {
  for (size_t node = 0; node < problem.node_count(); ++node) {
    if (problem.nodes()[node].bytes_per_second >= problem.fastest_bytes_per_second() &&
        problem.Fits(node, 0, problem.layers())) {
      return node;
    }
  }
  return std::nullopt;
}

// Of nodes that hold all and are nearly as fast as the fastest: the least busy, of these the fastest.
size_t LeastBusyBeside(const Problem& problem, size_t fastest, double speed_share_min) {
  const double speed_min = problem.fastest_bytes_per_second() * speed_share_min;
  size_t best = fastest;
  for (size_t node = 0; node < problem.node_count(); ++node) {
    const CandidateNode& candidate = problem.nodes()[node];
    const CandidateNode& so_far = problem.nodes()[best];
    if (candidate.bytes_per_second < speed_min || !problem.Fits(node, 0, problem.layers())) continue;
    const bool better = candidate.stages != so_far.stages ? candidate.stages < so_far.stages
                                                          : candidate.bytes_per_second > so_far.bytes_per_second;
    if (better) best = node;
  }
  return best;
}

std::optional<Pipeline> SearchPlacement(const PlacementSnapshot& snapshot, const Problem& problem) {
  if (snapshot.stages <= 1) {
    if (const auto fastest = FastestNodeThatHoldsAll(problem)) {
      const size_t node = LeastBusyBeside(problem, *fastest, snapshot.speed_share_min);
      return Pipeline{{node}, {0, problem.layers()}, problem.DecodeSeconds(node, 0, problem.layers())};
    }
  }
  const bool exact = problem.node_count() <= kExactNodesMax;
  return exact ? SearchExact(problem, snapshot.stages) : SearchBeam(problem, snapshot.stages);
}

void Describe(const PlacementSnapshot& snapshot, const Problem& problem, const Pipeline& pipeline,
              enigma::v1::PlanReply& reply) {
  double prefill_seconds = 0;
  double slowest = 0;
  for (size_t i = 0; i < pipeline.nodes.size(); ++i) {
    const size_t node = pipeline.nodes[i];
    const uint32_t first = pipeline.cuts[i];
    const uint32_t last = pipeline.cuts[i + 1];
    auto* stage = reply.add_stages();
    stage->set_stage_index(static_cast<uint32_t>(i));
    stage->set_node_id(problem.nodes()[node].id);
    stage->set_first_layer(first);
    stage->set_last_layer(last);
    stage->set_weight_bytes(problem.WeightBytes(first, last));
    stage->set_kv_bytes(problem.KvBytes(first, last));
    stage->set_workspace_bytes(problem.WorkspaceBytes(first, last));
    stage->set_decode_seconds(problem.DecodeSeconds(node, first, last));
    stage->set_prefill_seconds(problem.PrefillSeconds(node, first, last));
    const bool is_last = i + 1 == pipeline.nodes.size();
    stage->set_link_seconds(is_last ? problem.ReturnSeconds(node, pipeline.nodes.front())
                                    : problem.LinkSeconds(node, pipeline.nodes[i + 1]));
    prefill_seconds += stage->prefill_seconds();
    slowest = std::max(slowest, stage->decode_seconds());
  }
  reply.set_feasible(true);
  reply.set_decode_tokens_per_second(1 / problem.PipelineSeconds(pipeline));
  if (prefill_seconds > 0) reply.set_prefill_tokens_per_second(1 / prefill_seconds);
  if (slowest > 0) reply.set_pipeline_tokens_per_second(1 / slowest);
  reply.set_context(snapshot.context);
  reply.set_kv_blocks(problem.kv_blocks());
}

// Of a node's free memory.
uint64_t BytesTakenBy(const engine::VisionMemory& encoder) {
  return static_cast<uint64_t>(std::ceil(static_cast<double>(encoder.total()) / (1 - kHeadroom)));
}

std::string MethodText(const Problem& problem, const Pipeline& found) {
  if (problem.node_count() <= kExactNodesMax) return "exact";
  const double bound = DecodeSecondsAtLeast(problem);
  const double above = bound > 0 ? std::max(0.0, (found.decode_seconds / bound - 1) * 100) : 0;
  return absl::StrFormat("beam (at most %.1f %% slower than the best possible)", above);
}

}  // namespace

bool NeedsLinks(const PlacementSnapshot& snapshot) {
  if (snapshot.stages > 1) return snapshot.candidates.size() > 1;
  if (snapshot.stages == 1 || snapshot.candidates.size() < 2) return false;
  // Where an encoder takes the room beside it, a decoder that fits on one node may be cut.
  PlacementSnapshot beside = snapshot;
  for (CandidateNode& node : beside.candidates) {
    node.memory_free_bytes -= std::min(node.memory_free_bytes, BytesTakenBy(snapshot.encoder));
  }
  return !FastestNodeThatHoldsAll(ProblemFor(beside, snapshot.sequences)).has_value();
}

namespace {

Placement PlanStages(const PlacementSnapshot& snapshot) {
  Placement placement;
  uint32_t sequences = std::max(snapshot.sequences, 1U);
  while (true) {
    const Problem problem = ProblemFor(snapshot, sequences);
    const std::optional<Pipeline> found = SearchPlacement(snapshot, problem);
    if (found) {
      const Pipeline balanced = Balance(problem, *found, snapshot.stages > 1 ? kSlackForced : kSlackOpen);
      Describe(snapshot, problem, balanced, placement.reply);
      placement.reply.set_method(MethodText(problem, *found));
      AddVerdicts(snapshot, problem, balanced, placement.reply);
      placement.pipeline = balanced;
      return placement;
    }
    // Fewer sequences at a time are better than none.
    if (sequences == 1) {
      placement.reply.set_infeasible_reason(WhyInfeasible(snapshot, problem));
      AddVerdicts(snapshot, problem, std::nullopt, placement.reply);
      return placement;
    }
    sequences /= 2;
  }
}

// Keeps room for the encoder on the candidate, whatever the stages then come to.
std::optional<Placement> PlanAroundEncoder(const PlacementSnapshot& snapshot, size_t candidate) {
  const uint64_t needed = BytesTakenBy(snapshot.encoder);
  PlacementSnapshot less = snapshot;
  uint64_t& free = less.candidates[candidate].memory_free_bytes;
  if (free < needed || !less.candidates[candidate].encodes_pictures) return std::nullopt;
  free -= needed;
  Placement placement = PlanStages(less);
  if (!placement.pipeline) return std::nullopt;
  SetEncoder(snapshot, candidate, placement.reply);
  return placement;
}

}  // namespace

Placement PlanPlacement(const PlacementSnapshot& snapshot) {
  Placement placement = PlanStages(snapshot);
  if (snapshot.encoder.total() == 0 || !placement.pipeline) return placement;
  if (const std::optional<size_t> node = ChooseEncoderNode(snapshot, placement.reply)) {
    SetEncoder(snapshot, *node, placement.reply);
    return placement;
  }
  // The stages make room, by another cut or for fewer sequences: of the plans that this comes to, the fastest.
  std::optional<Placement> best;
  for (size_t node = 0; node < snapshot.candidates.size(); ++node) {
    std::optional<Placement> around = PlanAroundEncoder(snapshot, node);
    if (!around) continue;
    const double speed = around->reply.decode_tokens_per_second();
    if (!best || speed > best->reply.decode_tokens_per_second()) best = std::move(around);
  }
  if (best) return *std::move(best);
  return {std::nullopt, NoRoomForEncoder(snapshot)};
}

}  // namespace enigma::coordinator
