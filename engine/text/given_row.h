#pragma once

#include "engine/text/tokenizer.h"

namespace enigma::engine {

// Stands among token ids for a row that no token gives: that of a picture (docs/vision.md).
inline constexpr TokenId kGivenRow = -1;

}  // namespace enigma::engine
