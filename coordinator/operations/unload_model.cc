#include "coordinator/operations/unload_model.h"

#include <algorithm>

#include <absl/strings/str_cat.h>
#include <absl/time/clock.h>

#include "base/status_macros.h"
#include "base/text.h"
#include "coordinator/operations/unload_stages.h"
#include "telemetry/log.h"

namespace enigma::coordinator {
namespace {

constexpr absl::Duration kLoadEndsWithin = absl::Seconds(30);

}  // namespace

absl::StatusOr<uint32_t> UnloadModel(ControlPlane& plane, std::string_view name) {
  const absl::Status known = plane.models.Find(name).status();
  const auto wanted = plane.wanted.List();
  const auto wanted_count = static_cast<uint32_t>(
      std::count_if(wanted.begin(), wanted.end(), [&](const auto& placement) { return placement.model == name; }));
  // One that came with a program that is another by now may still be wanted.
  if (!known.ok() && wanted_count == 0) return known;
  // First of all, so that nothing is placed again.
  ENIGMA_RETURN_IF_ERROR(plane.wanted.RemoveModel(name));

  const std::vector<Replica> replicas = plane.replicas.OfModel(name);
  if (replicas.empty() && wanted_count == 0) {
    return absl::FailedPreconditionError(absl::StrCat("'", ToAbsl(name), "' is not loaded"));
  }
  const std::string reason = absl::StrCat("'", ToAbsl(name), "' was unloaded");
  for (const Replica& replica : replicas) {
    plane.replicas.MarkFailed(replica.id, reason);  // a load in progress sees this and ends
    plane.dispatcher.RemoveReplica(replica.id, absl::AbortedError(reason));
    if (!replica.was_ready) continue;
    UnloadStages(plane, replica);
    plane.replicas.Remove(replica.id);
  }
  const absl::Time deadline = absl::Now() + kLoadEndsWithin;
  while (!plane.replicas.OfModel(name).empty()) {
    if (absl::Now() > deadline) {
      return absl::DeadlineExceededError(absl::StrCat("a load of '", ToAbsl(name), "' does not end; try again"));
    }
    absl::SleepFor(absl::Milliseconds(10));
  }
  LogInfo("model {} unloaded", name);
  return std::max(wanted_count, static_cast<uint32_t>(replicas.size()));
}

}  // namespace enigma::coordinator
