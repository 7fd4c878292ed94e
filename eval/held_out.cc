#include "eval/held_out.h"

#include "engine/spec/manifest.h"

namespace enigma::eval {

uint64_t PartOf(std::string_view text, uint64_t count) {
  const engine::Sha256 hash = engine::Sha256Of(text);
  uint64_t number = 0;
  for (size_t i = 0; i < 8; ++i) number = number << 8 | static_cast<uint8_t>(hash[i]);
  return number % count;
}

std::string_view NameOf(Split split) {
  return split == Split::kTrain ? "train" : split == Split::kValidation ? "validation" : "test";
}

std::optional<Split> ParseSplit(std::string_view name) {
  for (const Split split : {Split::kTrain, Split::kValidation, Split::kTest}) {
    if (NameOf(split) == name) return split;
  }
  return std::nullopt;
}

}  // namespace enigma::eval
