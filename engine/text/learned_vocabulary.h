#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <vector>

#include "engine/text/tokenizer.h"

namespace enigma::engine {

// A byte-level vocabulary made from text, without its special tokens: what training gives and files are written from.
struct LearnedVocabulary {
  struct Merge {
    TokenId left;
    TokenId right;
  };
  // Raw bytes by id: first ByteTokens(), then what the merges make, then whole words that no merge leads to.
  std::vector<std::string> tokens;
  std::vector<Merge> merges;  // by rank; merges[i] makes token kByteTokenCount + i
};

inline constexpr size_t kByteTokenCount = 256;

// The single bytes in the order of GPT-2's vocabulary: by the characters that stand for them in the byte alphabet, so
// "!" comes first.
std::vector<std::string> ByteTokens();
// The place of each byte there.
std::array<TokenId, kByteTokenCount> ByteTokenIds();

}  // namespace enigma::engine
