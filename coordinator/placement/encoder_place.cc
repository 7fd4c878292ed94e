#include "coordinator/placement/encoder_place.h"

#include <algorithm>

#include <absl/strings/str_cat.h>

#include "coordinator/placement/explain.h"
#include "coordinator/placement/placed_bytes.h"

namespace enigma::coordinator {
namespace {

// How much longer a picture may take on a node of its own.
constexpr double kSlowerMost = 2;

constexpr char kTooOld[] = "its program is too old for image encoders: update it";

uint64_t StageBytesOn(const enigma::v1::PlanReply& plan, const std::string& node) {
  uint64_t bytes = 0;
  for (const auto& stage : plan.stages()) {
    if (stage.node_id() == node) bytes += PlacedBytes(stage);
  }
  return bytes;
}

}  // namespace

std::optional<size_t> ChooseEncoderNode(const PlacementSnapshot& snapshot, const enigma::v1::PlanReply& plan) {
  std::optional<size_t> apart;
  std::optional<size_t> beside;
  for (size_t i = 0; i < snapshot.candidates.size(); ++i) {
    const CandidateNode& node = snapshot.candidates[i];
    const uint64_t taken = StageBytesOn(plan, node.id);
    if (!node.encodes_pictures || taken + snapshot.encoder.total() > LessHeadroom(node.memory_free_bytes)) continue;
    std::optional<size_t>& best = taken == 0 ? apart : beside;
    if (!best || node.flops_per_second > snapshot.candidates[*best].flops_per_second) best = i;
  }
  if (!apart || !beside) return apart ? apart : beside;
  const double speed = snapshot.candidates[*apart].flops_per_second;
  return speed * kSlowerMost >= snapshot.candidates[*beside].flops_per_second ? apart : beside;
}

void SetEncoder(const PlacementSnapshot& snapshot, size_t candidate, enigma::v1::PlanReply& plan) {
  const std::string& node = snapshot.candidates[candidate].id;
  enigma::v1::StagePlacement& encoder = *plan.mutable_encoder();
  encoder.set_node_id(node);
  encoder.set_weight_bytes(snapshot.encoder.weights);
  encoder.set_workspace_bytes(snapshot.encoder.workspace);
  for (auto& verdict : *plan.mutable_verdicts()) {
    const auto old = std::find_if(snapshot.candidates.begin(), snapshot.candidates.end(), [&](const auto& one) {
      return one.id == verdict.node_id() && !one.encodes_pictures;
    });
    if (old != snapshot.candidates.end()) verdict.set_reason(absl::StrCat(verdict.reason(), "; ", kTooOld));
    if (verdict.node_id() != node) continue;
    verdict.set_reason(verdict.used() ? absl::StrCat(verdict.reason(), ", and the image encoder")
                                      : "the image encoder");
    verdict.set_used(true);
  }
}

enigma::v1::PlanReply NoRoomForEncoder(const PlacementSnapshot& snapshot) {
  enigma::v1::PlanReply plan;
  const bool all_old = std::none_of(snapshot.candidates.begin(), snapshot.candidates.end(),
                                    [](const CandidateNode& node) { return node.encodes_pictures; });
  plan.set_infeasible_reason(absl::StrCat("the image encoder needs ", BytesText(snapshot.encoder.total()), " (weights ",
                                          snapshot.encoder.weights, ", workspace ", snapshot.encoder.workspace,
                                          ") on one node beside the model's stages, and ",
                                          all_old ? "the program of every node is too old for image encoders"
                                                  : "no node that knows image encoders has so much"));
  for (const CandidateNode& node : snapshot.candidates) {
    auto* verdict = plan.add_verdicts();
    verdict->set_node_id(node.id);
    verdict->set_reason(node.encodes_pictures
                            ? absl::StrCat("its usable memory of ", BytesText(LessHeadroom(node.memory_free_bytes)),
                                           " is too little for what is left of the model")
                            : kTooOld);
  }
  for (const PlacementSnapshot::Excluded& node : snapshot.excluded) {
    auto* verdict = plan.add_verdicts();
    verdict->set_node_id(node.id);
    verdict->set_reason(node.reason);
  }
  return plan;
}

}  // namespace enigma::coordinator
