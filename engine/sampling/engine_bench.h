#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <absl/status/statusor.h>

#include "base/clock.h"
#include "engine/spec/kv_type.h"

namespace enigma::engine {

// Speed of the engine alone, in one process: a prompt of `prompt_tokens` from an empty context in one go, then, again
// from an empty context, `generated_tokens` one by one, each the likeliest after the last (chosen here, so sampling
// counts).
struct EngineBenchOptions {
  uint32_t prompt_tokens = 512;     // 0: prefill is not measured
  uint32_t generated_tokens = 128;  // 0: decode is not measured
  int threads = 1;
  uint32_t repetitions = 5;   // of each, after one that is not counted
  uint32_t batch_rows = 512;  // most prompt tokens per step
  const Clock* clock = &Clock::System();
};

struct EngineBenchResult {
  std::string model;
  std::vector<double> prefill_tps;  // tokens per second of each repetition, in order
  std::vector<double> decode_tps;
  double load_seconds = 0;
  uint64_t weight_bytes = 0;
};

absl::StatusOr<EngineBenchResult> RunEngineBench(const std::string& path, const EngineBenchOptions& options);

// Middle of the values; mean of the middle two where their number is even; 0 without values.
double Median(std::vector<double> values);

}  // namespace enigma::engine
