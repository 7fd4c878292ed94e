#pragma once

#include <cstddef>
#include <cstdint>

#include <absl/status/statusor.h>

#include "engine/model/stage.h"

namespace enigma::engine {

// What a stage can take in one step.
struct BatchLimits {
  bool first_stage;
  bool last_stage;
  size_t hidden;
  uint32_t vocab;
  uint32_t context;
  uint32_t kv_blocks;
  uint32_t max_rows;
  uint32_t max_logit_rows;
};

// The number of rows of a batch that a stage may run. InvalidArgument says what does not fit, in which run.
absl::StatusOr<size_t> CheckBatch(const Batch& batch, const BatchLimits& limits);

}  // namespace enigma::engine
