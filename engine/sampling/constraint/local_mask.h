#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "engine/sampling/constraint/vocabulary_trie.h"
#include "engine/text/constraint/grammar.h"

namespace enigma::engine {

// A control token and the text that it stands for.
struct ShownToken {
  TokenId id;
  std::string text;
};

// The tokens that one state of one rule allows, whatever surrounds the rule: those that stay inside it or end with it,
// and the places in the vocabulary where the surroundings take over. So one mask serves the state at any depth.
struct LocalMask {
  bool too_costly = false;       // making it takes more work than is allowed; the rest is empty then
  uint32_t free_characters = 0;  // plain tokens of so many characters are allowed
  // The others: as a list, or as bits where they are many.
  std::vector<TokenId> tokens;
  TokenBits bits;
  std::vector<uint32_t> exits;  // nodes behind which the rule may be over; the root: it may be over at once

  void AddTo(const VocabularyTrie& trie, TokenBits& mask) const;
  size_t memory_bytes() const {
    return sizeof(*this) + tokens.capacity() * sizeof(TokenId) + bits.capacity() * 8 + exits.capacity() * 4;
  }
};

// `shown`: control tokens with a text, which are allowed in a text with calls (Grammar::Text) as that text is, and
// nowhere else.
LocalMask MakeLocalMask(const Grammar& grammar, const VocabularyTrie& trie, std::span<const ShownToken> shown,
                        uint32_t rule, LocalState state);

}  // namespace enigma::engine
