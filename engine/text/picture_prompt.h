#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

#include "engine/text/tokenizer.h"

namespace enigma::engine {

// A prompt about a picture, as training has it (engine/corpus/captions.h): the begin token where the vocabulary asks
// for one, kGivenRow for each of the picture's rows, and the text, which may be empty. `parse_special`: of the text.
std::vector<TokenId> PicturePrompt(const Tokenizer& tokenizer, size_t rows, std::string_view text,
                                   bool parse_special = false);

}  // namespace enigma::engine
