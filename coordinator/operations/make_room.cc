#include "coordinator/operations/make_room.h"

#include <set>
#include <utility>

#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>
#include <absl/time/clock.h>

#include "base/status_macros.h"
#include "coordinator/operations/await_measurements.h"
#include "coordinator/operations/plan_model.h"
#include "coordinator/operations/unload_model.h"
#include "coordinator/placement/placed_bytes.h"
#include "telemetry/log.h"

namespace enigma::coordinator {
namespace {

constexpr absl::Duration kFreeWithin = absl::Seconds(5);
constexpr absl::Duration kLookForRoomEvery = absl::Milliseconds(100);

// Empty when there is a plan, else why there is none.
absl::StatusOr<std::string> WhatIsMissing(ControlPlane& plane, const std::string& model,
                                          const enigma::v1::PlanOptions& options, const NodeBytes& free_beside) {
  absl::MutexLock lock(&plane.placement_mutex);
  ENIGMA_ASSIGN_OR_RETURN(const PlannedModel planned, PlanModel(plane, model, options, free_beside));
  const enigma::v1::PlanReply& reply = planned.placement.reply;
  if (reply.feasible()) return std::string();
  return reply.infeasible_reason().empty() ? "there is no plan" : reply.infeasible_reason();
}

void AddBytesOf(const ControlPlane& plane, const std::string& model, NodeBytes& bytes) {
  for (const Replica& replica : plane.replicas.OfModel(model)) {
    for (const auto& part : replica.Parts()) {
      bytes[part.node_id()] += PlacedBytes(part);
    }
  }
}

// Which of them have to go: the fewest from the first on that do, without those of them that make no difference.
// FAILED_PRECONDITION where all would not be enough.
absl::StatusOr<std::vector<std::string>> WhichGo(ControlPlane& plane, const std::string& model,
                                                 const enigma::v1::PlanOptions& options,
                                                 const std::vector<std::string>& idle) {
  const auto missing_without = [&](const std::vector<std::string>& gone) {
    NodeBytes bytes;
    for (const std::string& one : gone) AddBytesOf(plane, one, bytes);
    return WhatIsMissing(plane, model, options, bytes);
  };
  std::vector<std::string> going;
  ENIGMA_ASSIGN_OR_RETURN(const std::string missing, missing_without(going));
  if (missing.empty()) return going;
  bool enough = false;
  for (size_t i = 0; i < idle.size() && !enough; ++i) {
    going.push_back(idle[i]);
    ENIGMA_ASSIGN_OR_RETURN(const std::string still, missing_without(going));
    enough = still.empty();
  }
  if (!enough) {
    return absl::FailedPreconditionError(
        absl::StrCat("cannot place '", model, "': ", missing,
                     idle.empty() ? "" : absl::StrCat("; also without ", absl::StrJoin(idle, ", "))));
  }
  for (size_t i = going.size() - 1; i-- > 0;) {
    std::vector<std::string> fewer = going;
    fewer.erase(fewer.begin() + static_cast<std::ptrdiff_t>(i));
    ENIGMA_ASSIGN_OR_RETURN(const std::string still, missing_without(fewer));
    if (still.empty()) going = std::move(fewer);
  }
  return going;
}

// Of a model that is claimed. False when it stays, since it has work or cannot be unloaded; else `gone` has its
// replicas.
bool Unload(ControlPlane& plane, const std::string& model, const std::string& for_model, std::set<uint64_t>& gone) {
  std::vector<uint64_t> ids;
  for (const Replica& replica : plane.replicas.OfModel(model)) {
    if (replica.state == ReplicaState::kLoading) return false;
    ids.push_back(replica.id);
  }
  if (!plane.dispatcher.RetireIdle(ids)) return false;
  const absl::Status unloaded = UnloadModel(plane, model).status();
  if (unloaded.ok()) {
    LogInfo("{} is unloaded to make room for {}", model, for_model);
    gone.insert(ids.begin(), ids.end());
    return true;
  }
  LogWarn("{} does not give its memory back: {}", model, std::string(unloaded.message()));
  plane.dispatcher.Unretire(ids);  // what is left of it serves on
  return false;
}

// False when it stays.
bool Evict(ControlPlane& plane, const Evictable& evictable, const std::string& model, const std::string& for_model,
           std::set<uint64_t>& gone) {
  if (!evictable.claim(model)) return false;
  const bool went = Unload(plane, model, for_model, gone);
  evictable.release(model);
  return went;
}

// Waits for `what`, for a while.
void AwaitFor(const std::function<bool()>& what, const std::function<bool()>& cancelled) {
  const absl::Time deadline = absl::Now() + kFreeWithin;
  while (absl::Now() < deadline && !(cancelled && cancelled()) && !what()) absl::SleepFor(kLookForRoomEvery);
}

// Whether no heartbeat tells of a stage of these replicas any more; the memory that it tells is without them, then.
bool NobodyHas(const ControlPlane& plane, const std::set<uint64_t>& replicas) {
  for (const Node& node : plane.nodes.List()) {
    if (node.state != NodeState::kReady) continue;
    for (const auto& stage : node.stages) {
      if (replicas.contains(stage.replica())) return false;
    }
  }
  return true;
}

}  // namespace

absl::Status MakeRoom(ControlPlane& plane, const std::string& model, const enigma::v1::PlanOptions& options,
                      Evictable evictable, const std::function<bool()>& cancelled) {
  AwaitMeasurements(plane, options, cancelled);
  while (true) {
    ENIGMA_ASSIGN_OR_RETURN(const std::vector<std::string> going, WhichGo(plane, model, options, evictable.models));
    if (going.empty()) return absl::OkStatus();
    std::set<uint64_t> gone;
    bool all_went = true;
    for (const std::string& one : going) {
      std::erase(evictable.models, one);
      all_went = Evict(plane, evictable, one, model, gone);
      if (!all_went) break;  // another, then
    }
    if (!all_went) {
      // What went shows as free before it is reckoned who else has to go.
      AwaitFor([&] { return NobodyHas(plane, gone); }, cancelled);
      continue;
    }
    absl::Status failed;
    const auto has_room = [&] {
      const absl::StatusOr<std::string> missing = WhatIsMissing(plane, model, options, {});
      failed = missing.status();
      return !missing.ok() || missing->empty();
    };
    AwaitFor(has_room, cancelled);
    return failed;
  }
}

}  // namespace enigma::coordinator
