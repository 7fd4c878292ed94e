#include "coordinator/operations/plan_model.h"

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <vector>

#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>

#include "base/status_macros.h"
#include "coordinator/operations/measure_links.h"
#include "coordinator/placement/model_shape.h"
#include "coordinator/placement/placed_bytes.h"

namespace enigma::coordinator {
namespace {

constexpr uint32_t kDefaultSequences = 4;
constexpr uint32_t kSequencesMax = 4096;
// Specialists that wait for different requests do better side by side; what is measured of equal nodes that compute
// varies by about so much.
constexpr double kSpeedShareOnDemand = 0.75;

absl::StatusOr<uint32_t> ContextFor(const Model& model, const enigma::v1::PlanOptions& options) {
  if (options.context() == 0) return std::min(model.context, kDefaultContextMax);
  if (options.context() > model.context) {
    return absl::InvalidArgumentError(absl::StrCat("context: ", options.context(), " tokens were asked for; '",
                                                   model.name, "' was trained with ", model.context));
  }
  return options.context();
}

// Memory that replicas being loaded will take; heartbeats do not show it yet.
std::map<std::string, uint64_t> PromisedBytes(const ControlPlane& plane) {
  std::map<std::string, uint64_t> promised;
  for (const Replica& replica : plane.replicas.List()) {
    if (replica.state != ReplicaState::kLoading) continue;
    for (const auto& part : replica.Parts()) {
      promised[part.node_id()] += PlacedBytes(part);
    }
  }
  return promised;
}

std::map<std::string, uint32_t> StagesByNode(const ControlPlane& plane) {
  std::map<std::string, uint32_t> stages;
  for (const Replica& replica : plane.replicas.List()) {
    if (replica.state == ReplicaState::kFailed) continue;
    for (const auto& part : replica.Parts()) ++stages[part.node_id()];
  }
  return stages;
}

// Splits the nodes into candidates (returned) and those that cannot be, with reasons.
absl::StatusOr<std::vector<Node>> Candidates(const ControlPlane& plane, const enigma::v1::PlanOptions& options,
                                             const NodeBytes& free_beside, PlacementSnapshot& snapshot) {
  std::set<std::string> asked;
  for (const std::string& name : options.nodes()) {
    ENIGMA_ASSIGN_OR_RETURN(const Node node, plane.nodes.Resolve(name));
    asked.insert(node.id);
  }
  std::map<std::string, uint64_t> promised = PromisedBytes(plane);
  std::map<std::string, uint32_t> stages = StagesByNode(plane);
  std::vector<Node> candidates;
  for (const Node& node : plane.nodes.List()) {
    const auto& capability = node.hello.capability();
    std::string reason;
    if (!asked.empty() && !asked.contains(node.id)) {
      reason = "not among the nodes asked for";
    } else if (node.state != NodeState::kReady) {
      reason = absl::StrCat(std::string(NodeStateName(node.state)), ": ", node.state_reason);
    } else if (node.leaving) {
      reason = "is leaving";
    } else if (!node.measured()) {
      reason = "is still measuring its speed";
    }
    if (!reason.empty()) {
      snapshot.excluded.push_back({node.id, node.Label(), reason});
      continue;
    }
    uint64_t free = capability.memory_free_bytes();
    if (const auto more = free_beside.find(node.id); more != free_beside.end()) free += more->second;
    free -= std::min(free, promised[node.id]);
    snapshot.candidates.push_back({node.id, node.Label(), free, capability.memory_bytes_per_second(),
                                   capability.flops_per_second(), stages[node.id], capability.encodes_pictures()});
    candidates.push_back(node);
  }
  return candidates;
}

}  // namespace

absl::StatusOr<PlannedModel> PlanModel(ControlPlane& plane, std::string_view name,
                                       const enigma::v1::PlanOptions& options, const NodeBytes& free_beside) {
  PlannedModel planned;
  ENIGMA_ASSIGN_OR_RETURN(planned.model, plane.models.Find(name));
  ENIGMA_ASSIGN_OR_RETURN(const GgufPtr file, plane.files.Open(*planned.model));
  ENIGMA_ASSIGN_OR_RETURN(const engine::ModelSpec spec, engine::ModelSpecFromGguf(*file));
  ENIGMA_ASSIGN_OR_RETURN(const engine::KvType kv_type, KvTypeFromName(options.kv_type(), *file));
  ENIGMA_ASSIGN_OR_RETURN(const WireType wire, WireTypeFromName(options.wire_type()));
  ENIGMA_ASSIGN_OR_RETURN(planned.context, ContextFor(*planned.model, options));
  if (options.sequences() > kSequencesMax) {
    return absl::InvalidArgumentError(absl::StrCat("sequences: at most ", kSequencesMax));
  }
  planned.kv_type = static_cast<uint32_t>(kv_type);
  planned.wire_dtype = wire.gguf_type;

  PlacementSnapshot snapshot;
  snapshot.shape = ShapeOfModel(*file, spec, kv_type, planned.context, wire.element_bytes);
  snapshot.context = planned.context;
  snapshot.sequences = options.sequences() == 0 ? kDefaultSequences : options.sequences();
  snapshot.stages = options.stages();
  if (planned.model->encoder) {
    ENIGMA_ASSIGN_OR_RETURN(const GgufPtr encoder, plane.files.OpenEncoder(*planned.model));
    ENIGMA_ASSIGN_OR_RETURN(const engine::VisionSpec vision, engine::VisionSpecFromGguf(*encoder));
    snapshot.encoder = engine::EstimateVisionMemory(*encoder, vision);
  }
  if (options.on_demand()) snapshot.speed_share_min = kSpeedShareOnDemand;
  ENIGMA_ASSIGN_OR_RETURN(const std::vector<Node> candidates, Candidates(plane, options, free_beside, snapshot));
  MeasuredLinks measured;
  if (NeedsLinks(snapshot)) {
    measured = MeasureLinks(plane, candidates);
    snapshot.links = measured.links;
  }

  planned.placement = PlanPlacement(snapshot);
  enigma::v1::PlanReply& reply = planned.placement.reply;
  if (!reply.feasible() && !measured.failures.empty()) {
    reply.set_infeasible_reason(absl::StrCat(reply.infeasible_reason(), "; ", absl::StrJoin(measured.failures, "; ")));
  }
  for (auto& stage : *reply.mutable_stages()) {
    if (const auto node = plane.nodes.Find(stage.node_id())) stage.set_host_name(node->hello.host_name());
  }
  if (reply.has_encoder()) {
    const auto node = plane.nodes.Find(reply.encoder().node_id());
    if (node) reply.mutable_encoder()->set_host_name(node->hello.host_name());
  }
  for (auto& verdict : *reply.mutable_verdicts()) {
    if (const auto node = plane.nodes.Find(verdict.node_id())) verdict.set_host_name(node->hello.host_name());
  }
  return planned;
}

}  // namespace enigma::coordinator
