#include "coordinator/operations/loaded_already.h"

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>

#include "base/status_macros.h"
#include "coordinator/placement/model_shape.h"

namespace enigma::coordinator {
namespace {

// What the replica was asked to be; without a wish where nobody wants it any more.
enigma::v1::PlanOptions OptionsOf(const ControlPlane& plane, const Replica& replica) {
  for (const WantedPlacement& wanted : plane.wanted.List()) {
    if (wanted.id == replica.wanted) return wanted.options;
  }
  return {};
}

absl::StatusOr<bool> AreTypesAsAsked(ControlPlane& plane, const Model& model, const enigma::v1::PlanOptions& had,
                                     const enigma::v1::PlanOptions& asked) {
  ENIGMA_ASSIGN_OR_RETURN(const GgufPtr file, plane.files.Open(model));
  ENIGMA_ASSIGN_OR_RETURN(const engine::KvType kv_had, KvTypeFromName(had.kv_type(), *file));
  ENIGMA_ASSIGN_OR_RETURN(const engine::KvType kv_asked, KvTypeFromName(asked.kv_type(), *file));
  ENIGMA_ASSIGN_OR_RETURN(const WireType wire_had, WireTypeFromName(had.wire_type()));
  ENIGMA_ASSIGN_OR_RETURN(const WireType wire_asked, WireTypeFromName(asked.wire_type()));
  return (asked.kv_type().empty() || kv_had == kv_asked) &&
         (asked.wire_type().empty() || wire_had.gguf_type == wire_asked.gguf_type);
}

// Wishes that are not stated are fulfilled by anything.
absl::StatusOr<bool> IsAsAsked(ControlPlane& plane, const Replica& replica, const enigma::v1::PlanOptions& asked) {
  const enigma::v1::PlanOptions had = OptionsOf(plane, replica);
  if (asked.stages() != 0 && asked.stages() != replica.stages.size()) return false;
  if (asked.context() != 0 && asked.context() != replica.context) return false;
  if (asked.sequences() != 0 && asked.sequences() != had.sequences()) return false;
  std::set<std::string> nodes;
  for (const std::string& name : asked.nodes()) {
    ENIGMA_ASSIGN_OR_RETURN(const Node node, plane.nodes.Resolve(name));
    nodes.insert(node.id);
  }
  const std::vector<enigma::v1::StagePlacement> parts = replica.Parts();
  const bool is_there = nodes.empty() || std::all_of(parts.begin(), parts.end(),
                                                     [&](const auto& part) { return nodes.contains(part.node_id()); });
  if (!is_there) return false;
  return AreTypesAsAsked(plane, *replica.model, had, asked);
}

std::string Where(const ControlPlane& plane, const Replica& replica) {
  std::vector<std::string> nodes;
  for (const auto& stage : replica.stages) {
    const std::optional<Node> node = plane.nodes.Find(stage.node_id());
    nodes.push_back(node ? node->Label() : stage.node_id());
  }
  return absl::StrCat("replica ", replica.id, " in ", nodes.size(), nodes.size() == 1 ? " stage on " : " stages on ",
                      absl::StrJoin(nodes, ", "));
}

}  // namespace

absl::StatusOr<std::optional<Replica>> FindLoaded(ControlPlane& plane, const ModelPtr& model,
                                                  const enigma::v1::PlanOptions& options) {
  std::string there;
  for (const Replica& replica : plane.replicas.OfModel(model->name)) {
    if (replica.state == ReplicaState::kFailed) continue;
    if (replica.state == ReplicaState::kLoading) {
      return absl::FailedPreconditionError(absl::StrCat("'", model->name,
                                                        "' is just being placed: ", Where(plane, replica),
                                                        "; `enigma models` shows when it is ready"));
    }
    ENIGMA_ASSIGN_OR_RETURN(const bool as_asked, IsAsAsked(plane, replica, options));
    if (as_asked) return replica;
    absl::StrAppend(&there, there.empty() ? "" : "; ", Where(plane, replica));
  }
  if (there.empty()) return std::nullopt;
  return absl::FailedPreconditionError(
      absl::StrCat("'", model->name, "' is already loaded, but not as asked: ", there, ". `enigma unload ", model->name,
                   "` first to place it differently, or `--another-replica` to place one more beside it"));
}

}  // namespace enigma::coordinator
