#pragma once

#include <cstdint>

#include <absl/status/status.h>

#include "proto/worker.pb.h"

namespace enigma::coordinator {

// INVALID_ARGUMENT naming the first parameter that is out of its range (engine/spec/sampling_params.h), the range, and
// what was given.
absl::Status CheckSampling(const enigma::v1::SamplingParams& sampling, uint32_t vocab);

}  // namespace enigma::coordinator
