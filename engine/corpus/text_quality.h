#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

#include "engine/corpus/filters.h"

namespace enigma::engine {

size_t CharactersIn(std::string_view text);  // of valid UTF-8

// Why running text looks like no text (a table of numbers, a log, encoded bytes); nothing where it does not.
std::optional<DropReason> JudgeQuality(std::string_view text, const FilterOptions& options);

}  // namespace enigma::engine
