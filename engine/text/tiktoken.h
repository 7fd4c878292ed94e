#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/statusor.h>

#include "engine/text/tokenizer.h"

namespace enigma::engine {

// See Tokenizer::FromTiktoken. Format: https://github.com/openai/tiktoken/blob/main/tiktoken/load.py
// Any two neighbours merge whose joint bytes have a rank, the lowest first. Errors name the line.
absl::StatusOr<std::unique_ptr<Tokenizer>> ReadTiktoken(std::string_view ranks, std::string_view pre,
                                                        const std::vector<std::string>& special_tokens);

}  // namespace enigma::engine
