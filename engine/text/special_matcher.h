#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include <absl/container/flat_hash_map.h>

#include "engine/text/tokenizer.h"

namespace enigma::engine {

// Finds tokens that are matched as whole strings before anything else is done with a text. Immutable once filled;
// thread-safe.
class SpecialMatcher {
 public:
  struct Match {
    size_t begin;
    size_t end;
    TokenId id;
  };

  void Add(std::string_view text, TokenId id);  // an empty text is ignored; the first id given for a text stays

  // The first match that begins at `from` or later; of those beginning there, the longest.
  std::optional<Match> Find(std::string_view text, size_t from) const;

 private:
  static uint64_t Edge(uint32_t node, uint8_t byte) { return uint64_t{node} << 8 | byte; }

  // A trie: node 0 is the root, edges are keyed by (node, byte).
  std::vector<TokenId> token_of_node_ = {-1};
  absl::flat_hash_map<uint64_t, uint32_t> edges_;
  std::array<uint32_t, 256> from_root_ = {};  // the root's edges again, for speed; 0: none
};

}  // namespace enigma::engine
