#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <absl/status/statusor.h>

#include "coordinator/operations/control_plane.h"
#include "engine/text/tokenizer.h"
#include "proto/inference.pb.h"

namespace enigma::coordinator {

// A model that answers now.
struct ServedModel {
  ModelPtr model;
  uint32_t context = 0;  // tokens that every replica in service can hold
};

// NOT_FOUND, naming the models there are; FAILED_PRECONDITION, with the command to give or the reason, when the model
// is known but no replica is ready.
absl::StatusOr<ServedModel> FindServed(const ControlPlane& plane, std::string_view model);

// Whether there is room for one more request for the model right now (Dispatcher::Admits), to be asked before work is
// put into it. A full queue is counted as a refusal in the metrics.
absl::Status CheckRoom(const ControlPlane& plane, const std::string& model, enigma::v1::Priority priority);

// INVALID_ARGUMENT for an id that is none of the `vocab` of the model of this name. `field` names where they stand.
absl::Status CheckIds(std::string_view field, const google::protobuf::RepeatedField<int32_t>& ids, uint32_t vocab,
                      std::string_view model);

// INVALID_ARGUMENT, naming the field, for a text that is longer than the context whatever its tokens are: known before
// the work of tokenising it.
absl::Status CheckTextBytes(std::string_view field, std::string_view text, const ServedModel& served,
                            const engine::Tokenizer& tokenizer);

// The request as its replica gets it, without ids; checks every field. A budget that would go beyond the context is cut
// to it (generation then ends with "length"). The rows of `pictures`, which are given later, stand behind the begin
// token and before everything else (docs/vision.md); the model then has an encoder.
absl::StatusOr<enigma::v1::OpenSequence> MakeSequence(const enigma::v1::GenerateRequest& request,
                                                      const ServedModel& served, const engine::Tokenizer& tokenizer,
                                                      size_t pictures = 0);

}  // namespace enigma::coordinator
