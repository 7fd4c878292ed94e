#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "cli/output/format.h"
#include "engine/sampling/text_scorer.h"

namespace enigma::cli {

// What `enigma eval perplexity` found.
struct PerplexityReport {
  std::string model;
  std::string data;
  engine::TextScorer::Score score;
  uint32_t context = 0;  // tokens of a window
  uint32_t stride = 0;
  bool has_begin = false;   // windows open with the begin token; else the text's first token is not scored
  uint64_t bytes = 0;       // of the text that is scored
  uint64_t characters = 0;  // code points, likewise
};

// Sets bytes and characters: those of `text` without `unscored`, its first token where that is not scored.
void CountText(std::string_view text, std::string_view unscored, PerplexityReport& report);

// Keys: model, data, nll (mean over the tokens, in nats), perplexity, tokens, nll_total, bytes, characters,
// nll_per_byte, nll_per_character, bits_per_byte, context, stride, windows, begin_token.
Json ToJson(const PerplexityReport& report);

std::string ToText(const PerplexityReport& report);

}  // namespace enigma::cli
