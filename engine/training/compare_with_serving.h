#pragma once

#include <cstdint>
#include <span>
#include <string>

#include <absl/status/statusor.h>

#include "engine/tensor/thread_pool.h"
#include "engine/text/tokenizer.h"

namespace enigma::engine {

struct ServingComparison {
  double largest_difference = 0;  // of two logits
  uint32_t position = 0;          // where it is
  double largest_logit = 0;       // in magnitude, of those expected

  // Whether the difference is at most `tolerance` times the largest logit.
  bool Within(double tolerance) const { return largest_difference <= tolerance * largest_logit; }
};

// Runs a GGUF file as it is served (whole, f32 keys and values, one token after another) over `prompt` and compares the
// logits after every token with `expected`: [prompt, vocab]. `given`: what stands where the prompt says kGivenRow, as
// of Stage; [such tokens, hidden]. Errors are those of loading and running the file; and
// InvalidArgument where the sizes do not fit each other or an expected logit is not finite.
absl::StatusOr<ServingComparison> CompareWithServing(const std::string& path, std::span<const TokenId> prompt,
                                                     std::span<const float> expected, ThreadPool& pool,
                                                     std::span<const float> given = {});

}  // namespace enigma::engine
