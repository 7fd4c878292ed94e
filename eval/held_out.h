#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace enigma::eval {

// What of a data set is kept for judging is decided by what it says, not by where it stands: the part of `count` that
// `text` belongs to. The first eight bytes of its SHA-256 as a big-endian number, modulo `count`, which is above 0.
uint64_t PartOf(std::string_view text, uint64_t count);

// What an entry of a data set is for.
enum class Split {
  kTrain,
  kValidation,  // to choose between models; some data sets keep nothing for it
  kTest,        // to judge the model that was chosen
};
std::string_view NameOf(Split split);  // "train"

// Of "train", "validation" or "test"; nothing for other texts.
std::optional<Split> ParseSplit(std::string_view name);

}  // namespace enigma::eval
