#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include <absl/container/flat_hash_map.h>
#include <absl/status/status.h>

#include "engine/sampling/candidates.h"
#include "engine/sampling/constraint/token_matcher.h"
#include "engine/spec/sampling_params.h"
#include "engine/text/tokenizer.h"

namespace enigma::engine {

inline constexpr uint32_t kTopLogprobsMax = 20;
inline constexpr size_t kStopStringsMax = 16;

// InvalidArgument naming the first parameter out of its range.
absl::Status CheckSamplingParams(const SamplingParams& params, uint32_t vocab);

// Chooses the next tokens of one sequence. The random number for a token is a function of (seed, choice, position), so
// a sampler rebuilt from prompt and generated ids (Accept each) continues as the first would have. The arithmetic is
// this project's own, in double, so equal logits give equal tokens on every machine. Not thread-safe.
//
// Order of operations: repetition, frequency and presence penalties; logit bias; tokens that the constraint forbids
// become impossible; then, where the temperature is 0, the
// likeliest token; else division by the temperature, top-k, top-p among what is left, min-p among what is left, and a
// draw from the rest.
class Sampler {
 public:
  // `params` have passed CheckSamplingParams.
  Sampler(SamplingParams params, std::span<const TokenId> prompt, uint32_t choice = 0);

  struct Choice {
    TokenId id = 0;
    float logprob = 0;  // natural log, of the model's own distribution; 0 unless params.top_logprobs asks
    std::vector<std::pair<TokenId, float>> top;  // the likeliest, best first, if asked for
  };
  // `logits`: [vocab], finite; `position`: index of the new token in the sequence (prompt length + tokens generated
  // before). Ties go to the lower id. Does not record the choice; call Accept.
  Choice Sample(std::span<const float> logits, uint32_t position);
  void Accept(TokenId id);

  // The constraint's output is complete: nothing can follow. False without a constraint.
  bool Finished() const { return matcher_ && matcher_->MustEnd(); }
  // Why the constraint cannot be kept any longer (see TokenMatcher). From then on Sample gives an end-of-generation
  // token where the vocabulary has one, and the sequence should end with this error.
  const absl::Status& constraint_status() const { return constraint_status_; }

 private:
  // The logits after penalties, bias and constraint; the given ones where nothing changes.
  std::span<const float> Adjust(std::span<const float> logits);
  void ForbidTokens();
  TokenId Draw(std::span<const float> logits, uint32_t position);

  SamplingParams params_;
  uint32_t choice_;
  absl::flat_hash_map<TokenId, uint32_t> generated_;  // occurrences among generated tokens
  absl::flat_hash_map<TokenId, bool> seen_;           // prompt and generated; kept where a penalty reads it
  std::vector<float> adjusted_;
  std::optional<TokenMatcher> matcher_;
  absl::Status constraint_status_;
  TokenBits allowed_;
  std::vector<Candidate> candidates_;
};

}  // namespace enigma::engine
