#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include <absl/container/flat_hash_map.h>
#include <absl/status/statusor.h>

#include "engine/text/tokenizer.h"
#include "engine/text/word_counter.h"

namespace enigma::engine {

// Two tokens that stand next to each other.
struct TokenPair {
  TokenId left;
  TokenId right;
  bool operator==(const TokenPair&) const = default;
  template <typename H>
  friend H AbslHashValue(H state, const TokenPair& pair) {
    return H::combine(std::move(state), pair.left, pair.right);
  }
};

// The distinct words of a text as rows of tokens, and for every pair of neighbours how often it occurs in the text and
// where. A merge costs time in proportion to the places where it happens, however long the words are. Not thread-safe.
class PairIndex {
 public:
  // Every word as its bytes (ids of ByteTokenIds()). ResourceExhausted when the distinct words together have 2^32 bytes
  // or more.
  static absl::StatusOr<PairIndex> Create(const WordCounts& words);

  // Weighted by the words' counts; overlapping occurrences ("aaa" has two of "aa") count each. 0: forgotten.
  uint64_t Count(TokenPair pair) const;
  // Every pair that is known, in no order.
  std::vector<TokenPair> Pairs() const;
  // The pair will not be asked for again. The counts of others stay right.
  void Forget(TokenPair pair) { pairs_.erase(pair); }

  // Replaces the pair by `merged`, a new id, wherever it stands, in each word from left to right, and forgets it. Pairs
  // that come into being are put into `made`. Only they get counts that grow; all others can only lose.
  void Merge(TokenPair pair, TokenId merged, std::vector<TokenPair>& made);

 private:
  static constexpr uint32_t kNone = UINT32_MAX;
  static constexpr TokenId kGone = -1;  // merged into its left neighbour
  struct Symbol {
    TokenId id;
    uint32_t previous;
    uint32_t next;
    uint32_t word;
  };
  struct Occurrences {
    uint64_t count = 0;
    // Of left symbols, ascending within a word. Some may have been merged with others since; none comes twice, because
    // what a symbol covers only grows.
    std::vector<uint32_t> places;
  };
  void Put(TokenPair pair, uint32_t place, std::vector<TokenPair>& made);
  void Remove(TokenPair pair, uint32_t word);

  std::vector<Symbol> symbols_;
  std::vector<uint64_t> word_counts_;
  absl::flat_hash_map<TokenPair, Occurrences> pairs_;
};

}  // namespace enigma::engine
