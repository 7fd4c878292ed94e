#include "coordinator/background/stall.h"

#include <absl/strings/str_cat.h>

namespace enigma::coordinator {

std::optional<Stall> StallOf(const Replica& replica, std::span<const Node> nodes, absl::Duration limit) {
  std::optional<Stall> stall;
  uint32_t furthest = 0;
  for (const Node& node : nodes) {
    for (const auto& stage : node.stages) {
      if (stage.replica() != replica.id || !stage.busy()) continue;
      const absl::Duration age = absl::Milliseconds(stage.last_step_age_ms());
      if (age <= limit || (stall && stage.stage_index() < furthest)) continue;
      furthest = stage.stage_index();
      stall = Stall{node.id,
                    absl::StrCat(stage.encoder() ? "the image encoder" : absl::StrCat("stage ", stage.stage_index()),
                                 " of ", replica.model->name, " on node ", node.Label(),
                                 " has work and has finished no step for ", absl::ToInt64Seconds(age), " s")};
    }
  }
  return stall;
}

}  // namespace enigma::coordinator
