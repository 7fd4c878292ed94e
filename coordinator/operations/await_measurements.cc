#include "coordinator/operations/await_measurements.h"

#include <algorithm>
#include <string>

#include <absl/time/clock.h>

namespace enigma::coordinator {
namespace {

constexpr absl::Duration kPatience = absl::Seconds(20);
constexpr absl::Duration kLookEvery = absl::Milliseconds(20);

bool Allows(const ControlPlane& plane, const enigma::v1::PlanOptions& options, const Node& node) {
  return options.nodes().empty() ||
         std::any_of(options.nodes().begin(), options.nodes().end(), [&](const std::string& name) {
           const absl::StatusOr<Node> named = plane.nodes.Resolve(name);
           return named.ok() && named->id == node.id;
         });
}

}  // namespace

void AwaitMeasurements(const ControlPlane& plane, const enigma::v1::PlanOptions& options,
                       const std::function<bool()>& cancelled) {
  const absl::Time deadline = absl::Now() + kPatience;
  while (absl::Now() < deadline && !(cancelled && cancelled())) {
    const std::vector<Node> nodes = plane.nodes.List();
    const bool all = std::none_of(nodes.begin(), nodes.end(), [&](const Node& node) {
      return node.state == NodeState::kReady && !node.leaving && !node.measured() && Allows(plane, options, node);
    });
    if (all) return;
    absl::SleepFor(kLookEvery);
  }
}

}  // namespace enigma::coordinator
