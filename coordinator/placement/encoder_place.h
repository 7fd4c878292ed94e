#pragma once

#include <cstdint>
#include <optional>

#include "coordinator/placement/planner.h"

namespace enigma::coordinator {

// Which candidate takes the image encoder beside the stages of a plan: a node without a stage, since it computes while
// the decoder does, unless that one takes twice as long as one that has room beside its stage. Nothing where none that
// knows image encoders has room. Pure.
std::optional<size_t> ChooseEncoderNode(const PlacementSnapshot& snapshot, const enigma::v1::PlanReply& plan);

// Tells a plan that its encoder goes to the candidate.
void SetEncoder(const PlacementSnapshot& snapshot, size_t candidate, enigma::v1::PlanReply& plan);

// A plan that fails because no node has room for the encoder beside the stages.
enigma::v1::PlanReply NoRoomForEncoder(const PlacementSnapshot& snapshot);

}  // namespace enigma::coordinator
