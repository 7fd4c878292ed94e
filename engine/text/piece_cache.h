#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include <absl/container/flat_hash_map.h>

#include "base/text.h"
#include "engine/text/tokenizer.h"

namespace enigma::engine {

// Remembers, during one Encode call, which tokens a short piece of text became: the words of natural text come again
// and again. It stores no tokens, only where in the output they stand. Not thread-safe.
class PieceCache {
 public:
  // Appends the tokens of `piece` to `ids` again and returns true, if it was remembered.
  bool Repeat(std::string_view piece, std::vector<TokenId>& ids) const {
    const auto found = places_.find(ToAbsl(piece));
    if (found == places_.end()) return false;
    for (size_t i = 0; i < found->second.count; ++i) {
      const TokenId id = ids[found->second.first + i];  // a copy: push_back may move the vector
      ids.push_back(id);
    }
    return true;
  }

  // `piece`, which must outlive the cache, became ids[first..].
  void Remember(std::string_view piece, size_t first, const std::vector<TokenId>& ids) {
    if (piece.size() <= kPieceBytesMax && places_.size() < kPiecesMax) {
      places_.try_emplace(ToAbsl(piece), Place{first, ids.size() - first});
    }
  }

 private:
  static constexpr size_t kPieceBytesMax = 64;    // longer ones hardly repeat
  static constexpr size_t kPiecesMax = 1u << 20;  // bounds the memory
  struct Place {
    size_t first;
    size_t count;
  };
  absl::flat_hash_map<absl::string_view, Place> places_;
};

}  // namespace enigma::engine
