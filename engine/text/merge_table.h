#pragma once

#include <cstdint>
#include <vector>

#include <absl/container/flat_hash_map.h>

#include "engine/text/tokenizer.h"

namespace enigma::engine {

// The merges of a byte pair encoding: which two neighbouring tokens become which one, and in which order.
class MergeTable {
 public:
  struct Merge {
    int32_t rank;  // lower merges first
    TokenId merged;
  };

  void Reserve(size_t count) { merges_.reserve(count); }
  // The first merge given for a pair stays.
  void Add(TokenId left, TokenId right, Merge merge) { merges_.try_emplace(Key(left, right), merge); }
  const Merge* Find(TokenId left, TokenId right) const {
    const auto found = merges_.find(Key(left, right));
    return found == merges_.end() ? nullptr : &found->second;
  }

 private:
  static uint64_t Key(TokenId left, TokenId right) {
    return uint64_t{static_cast<uint32_t>(left)} << 32 | static_cast<uint32_t>(right);
  }

  absl::flat_hash_map<uint64_t, Merge> merges_;
};

// Applies merges to one sequence after another, reusing its memory: O(n log n) by a heap over a linked list. Negative
// ids never merge. Not thread-safe.
class Merger {
 public:
  explicit Merger(const MergeTable& table) : table_(table) {}

  // Always the lowest rank first; of equal ranks the leftmost. Replaces `ids` by the result.
  void Apply(std::vector<TokenId>& ids);

 private:
  struct Symbol {
    TokenId id;
    int32_t previous;  // -1: none
    int32_t next;      // -1: none
  };
  struct Candidate {
    int32_t rank;
    int32_t left;  // index of the left symbol
    TokenId left_id;
    TokenId right_id;
    TokenId merged;
    // As a max-heap's order: the "greatest" is the one to merge next.
    bool operator<(const Candidate& other) const { return rank != other.rank ? rank > other.rank : left > other.left; }
  };
  void Consider(int32_t left);

  const MergeTable& table_;
  std::vector<Symbol> symbols_;
  std::vector<Candidate> heap_;
};

}  // namespace enigma::engine
