#pragma once

#include <functional>
#include <vector>

#include <absl/status/statusor.h>

#include "coordinator/gateway/prompt.h"

namespace enigma::coordinator {

// Bounds of one request for embeddings.
inline constexpr size_t kEmbedInputsMost = 2048;
inline constexpr uint64_t kEmbedTokensMost = 300'000;             // of all inputs
inline constexpr uint64_t kEmbedNumbersMost = uint64_t{4} << 20;  // in the answer

// What can be said of a request before its model is looked at. INVALID_ARGUMENT names the field.
absl::Status CheckEmbedRequest(const enigma::v1::EmbedRequest& request);

// The inputs as replicas get them, without ids. INVALID_ARGUMENT names the input that is empty, does not fit the
// context (with both numbers) or has an unknown token, or says by how much all are too much. `wanted` is asked between
// inputs; false ends it with CANCELLED.
absl::StatusOr<std::vector<enigma::v1::OpenSequence>> MakeEmbedSequences(const enigma::v1::EmbedRequest& request,
                                                                         const ServedModel& served,
                                                                         const engine::Tokenizer& tokenizer,
                                                                         const std::function<bool()>& wanted);

}  // namespace enigma::coordinator
