#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <absl/status/statusor.h>

#include "cli/command/command.h"
#include "engine/spec/sampling_params.h"
#include "engine/text/tokenizer.h"

namespace enigma::cli {

// The flags of `generate` and `chat` that say how tokens are chosen. Without --temperature the likeliest token is taken
// each time (greedy), so that the same command gives the same answer.
class SamplingFlags {
 public:
  // `max_tokens`: where --max-tokens is not given.
  explicit SamplingFlags(Command& command, uint32_t max_tokens = engine::SamplingParams{}.max_tokens);
  // Usage errors name the flag. Token ids are checked where the vocabulary is known.
  absl::StatusOr<engine::SamplingParams> Resolve() const;

 private:
  engine::SamplingParams params_;
  std::vector<std::string> logit_bias_;
};

// "1,2,3" to ids.
absl::StatusOr<std::vector<engine::TokenId>> ParseTokenIds(const std::string& text);

}  // namespace enigma::cli
