#pragma once

#include <cstdint>

#include "coordinator/gateway/openai/body.h"
#include "proto/inference.pb.h"

namespace enigma::coordinator {

// The largest budget of tokens, and the largest token id, that a field may have.
inline constexpr int64_t kTokensMost = INT32_MAX;

// The fields about sampling that completions and chat share, with OpenAI's names and ranges, and those that other
// servers have added (top_k, min_p, repetition_penalty, ignore_eos).
enigma::v1::SamplingParams ReadSampling(Fields& fields);

// The field priority: "low", "normal" or "high"; or a whole number as other servers have it, of which lower is earlier:
// below 0 high, 0 normal, above 0 low. Unspecified where it is absent.
enigma::v1::Priority ReadPriority(Fields& fields);

// Fields that other servers know. Those that cannot change what is said are taken and left; those that would are
// refused.
void ReadUnsupported(Fields& fields);

}  // namespace enigma::coordinator
