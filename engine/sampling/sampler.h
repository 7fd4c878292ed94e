#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include <absl/container/flat_hash_map.h>
#include <absl/status/status.h>

#include "engine/spec/sampling_params.h"
#include "engine/text/tokenizer.h"

namespace enigma::engine {

// InvalidArgument naming the first parameter out of its range.
absl::Status CheckSamplingParams(const SamplingParams& params, uint32_t vocab);

// Chooses the next tokens of one sequence. The random number for a token is a function of (seed, choice, position), so a
// sampler rebuilt from prompt and generated ids continues as the first would have. Not thread-safe.
class Sampler {
 public:
  Sampler(SamplingParams params, std::span<const TokenId> prompt, uint32_t choice = 0);

  struct Choice {
    TokenId id = 0;
    float logprob = 0;                                 // natural log, of the model's own distribution
    std::vector<std::pair<TokenId, float>> top;        // the likeliest, best first, if asked for
  };
  // `logits`: [vocab]; `position`: index of the new token in the sequence (prompt length + tokens generated before).
  // Ties go to the lower id. Does not record the choice; call Accept.
  Choice Sample(std::span<const float> logits, uint32_t position);
  void Accept(TokenId id);

 private:
  SamplingParams params_;
  uint32_t choice_;
  absl::flat_hash_map<TokenId, uint32_t> generated_;  // occurrences among generated tokens
  absl::flat_hash_map<TokenId, bool> seen_;           // prompt and generated
  std::vector<std::pair<float, TokenId>> scratch_;
};

}  // namespace enigma::engine
