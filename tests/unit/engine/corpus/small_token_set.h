#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "engine/corpus/token_set.h"

namespace enigma::engine::testing {

// A document of `size` tokens that count up from `first`. The first `prompt` of them are only read, at least one.
struct SmallDocument {
  TokenId first;
  uint32_t size;
  uint32_t prompt = 1;
};

inline constexpr uint32_t kSmallVocabulary = 10'000;

TokenSetBuilder SmallBuilder(uint32_t vocabulary = kSmallVocabulary);
std::shared_ptr<const TokenSet> SmallTokenSet(const std::vector<SmallDocument>& training,
                                              const std::vector<SmallDocument>& validation = {},
                                              uint32_t vocabulary = kSmallVocabulary);

}  // namespace enigma::engine::testing
