#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "engine/spec/router_spec.h"
#include "engine/text/tokenizer.h"

namespace enigma::engine {

// What a router reads of a text, in training as in service: its prompt with the text in place, tokenised as plain text,
// after the begin token where the vocabulary asks for one. One that has more than `tokens_max` (the context, at least
// 2) tokens loses those in the middle, so that both ends of the text stay, and the prompt's own.
std::vector<TokenId> RouterPrompt(const RouterSpec& router, const Tokenizer& tokenizer, std::string_view text,
                                  uint32_t tokens_max);

}  // namespace enigma::engine
