#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/statusor.h>

#include "coordinator/placement/problem.h"
#include "engine/spec/vision_memory.h"
#include "proto/cluster.pb.h"

namespace enigma::coordinator {

// Everything a placement decision reads.
struct PlacementSnapshot {
  ModelShape shape;
  uint32_t context = 0;    // tokens of one sequence
  uint32_t sequences = 4;  // full-context sequences that the KV memory should hold; fewer are taken when it cannot
  uint32_t stages = 0;     // 0: open
  engine::VisionMemory encoder = {};  // of its image encoder, which goes to one node; nothing where it has none
  // Of nodes that hold the whole model, the one with the fewest stages is taken among those that are at least this
  // share as fast as the fastest; 1: among equals.
  double speed_share_min = 1;
  std::vector<CandidateNode> candidates;
  std::vector<std::vector<Link>> links;  // between candidates; may be empty while NeedsLinks says false
  struct Excluded {
    std::string id;
    std::string label;
    std::string reason;
  };
  std::vector<Excluded> excluded;  // nodes that cannot be candidates
};

// False when the answer does not depend on links: no cut is forced and the fastest node holds the whole model, so that
// no pipeline can be faster.
bool NeedsLinks(const PlacementSnapshot& snapshot);

struct Placement {
  std::optional<Pipeline> pipeline;  // empty: infeasible; without the encoder, which the reply tells of
  enigma::v1::PlanReply reply;       // with reasons; StagePlacement.host_name is left to the caller
};

// Pure: the same snapshot gives the same placement.
Placement PlanPlacement(const PlacementSnapshot& snapshot);

}  // namespace enigma::coordinator
