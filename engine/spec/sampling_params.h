#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace enigma::engine {

class TokenConstraint;  // engine/sampling/constraint/token_constraint.h

// How the next token is chosen. Defaults choose plainly from the model's distribution; temperature 0 is greedy.
struct SamplingParams {
  float temperature = 1.0F;  // >= 0
  uint32_t top_k = 0;        // 0: all
  float top_p = 1.0F;        // (0, 1]
  float min_p = 0.0F;        // [0, 1]: drops tokens below min_p times the likeliest
  float repetition_penalty =
      1.0F;  // > 0; divides positive and multiplies negative logits of tokens seen (prompt included)
  float frequency_penalty = 0.0F;  // [-2, 2]; per occurrence among generated tokens
  float presence_penalty = 0.0F;   // [-2, 2]; once for generated tokens
  uint64_t seed = 0;
  std::vector<std::pair<int32_t, float>> logit_bias;
  uint32_t max_tokens = 128;      // budget of generated tokens
  std::vector<std::string> stop;  // generation ends before the first of these strings
  bool ignore_eos = false;        // for measurements: end-of-generation tokens do not stop
  uint32_t top_logprobs = 0;      // alternatives to report with each token; 0: none
  // What the output must look like (shared by all sequences with the same schema); null: anything.
  std::shared_ptr<const TokenConstraint> constraint;
};

}  // namespace enigma::engine
