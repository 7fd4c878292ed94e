#pragma once

#include <cstddef>
#include <cstdint>

#include <absl/status/status.h>

#include "proto/worker.pb.h"

namespace enigma::worker {

// InvalidArgument unless every token of the prompt is one of the vocabulary, or kGivenRow with a finite row of `hidden`
// values for it.
absl::Status CheckPrompt(const v1::OpenSequence& open, uint32_t vocab, size_t hidden);

}  // namespace enigma::worker
