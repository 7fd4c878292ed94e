#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "engine/text/tokenizer.h"

namespace enigma::engine {

// One bit per token, the lowest id in the lowest bit of the first word.
using TokenBits = std::vector<uint64_t>;

inline void SetToken(TokenBits& bits, TokenId id) { bits[static_cast<size_t>(id) / 64] |= uint64_t{1} << (id % 64); }
inline void ClearToken(TokenBits& bits, TokenId id) {
  bits[static_cast<size_t>(id) / 64] &= ~(uint64_t{1} << (id % 64));
}
inline bool HasToken(const TokenBits& bits, TokenId id) {
  return (bits[static_cast<size_t>(id) / 64] >> (id % 64) & 1) != 0;
}

// The tokens of a vocabulary as a tree over their bytes, so that those with a common beginning are looked at once.
// Control tokens, tokens without bytes and those that end generation are not in it. Built once per tokenizer (some
// tens of milliseconds for 128k tokens); immutable and thread-safe.
class VocabularyTrie {
 public:
  static constexpr uint32_t kRoot = 0;
  static constexpr uint32_t kUnlimited = ~0U;

  explicit VocabularyTrie(const Tokenizer& tokenizer);

  // Nodes are numbered so that what is below a node follows it, up to End.
  uint32_t size() const { return static_cast<uint32_t>(bytes_.size()); }
  uint8_t Byte(uint32_t node) const { return bytes_[node]; }
  uint32_t End(uint32_t node) const { return ends_[node]; }
  bool HasChildren(uint32_t node) const { return ends_[node] > node + 1; }
  std::span<const TokenId> Tokens(uint32_t node) const {
    return std::span(tokens_).subspan(first_token_[node], first_token_[node + 1] - first_token_[node]);
  }
  // A plain token is whole characters of which none has a meaning inside a JSON string. Whether others are at or below.
  bool HasOthers(uint32_t node) const { return has_others_[node] != 0; }
  bool IsPlain(TokenId id) const { return HasToken(plain_up_to_.back(), id); }
  // Adds the plain tokens of at most so many characters.
  void AddPlain(uint32_t characters_max, TokenBits& bits) const;

  // Empty where the token is none of the tree's.
  std::span<const uint8_t> BytesOf(TokenId id) const;
  const std::vector<TokenId>& end_tokens() const { return end_tokens_; }
  // Those that add no text to an output and do not end it either: control tokens, mostly.
  const TokenBits& silent() const { return silent_; }
  size_t vocab_size() const { return vocab_size_; }
  size_t words() const { return (vocab_size_ + 63) / 64; }

 private:
  static constexpr uint32_t kLevels = 33;  // plain_up_to_[n]: of at most n characters; the last one: all

  void AddPlainToken(TokenId id, uint32_t characters);

  const size_t vocab_size_;
  std::vector<uint8_t> bytes_;
  std::vector<uint32_t> ends_;
  std::vector<uint32_t> first_token_;
  std::vector<char> has_others_;
  std::vector<TokenId> tokens_;  // in the order of the nodes
  std::vector<TokenBits> plain_up_to_;
  std::vector<std::pair<uint32_t, TokenId>> long_plain_;  // characters, token
  std::vector<uint32_t> text_begin_;                      // by id, into text_
  std::vector<uint8_t> text_;
  std::vector<TokenId> end_tokens_;
  TokenBits silent_;
};

}  // namespace enigma::engine
