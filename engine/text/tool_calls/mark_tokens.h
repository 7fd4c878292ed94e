#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "engine/text/tokenizer.h"

namespace enigma::engine {

// The control tokens that `marks` are made of, each once, but for those that end generation. An answer has to show
// their texts, or the calls in it would not be seen.
std::vector<TokenId> MarkTokens(const Tokenizer& tokenizer, std::string_view marks);

// `mark` up to the first token in it that ends generation: no answer has more of it.
std::string BeforeEndOfGeneration(const Tokenizer& tokenizer, std::string_view mark);

}  // namespace enigma::engine
