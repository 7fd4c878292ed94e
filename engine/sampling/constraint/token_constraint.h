#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <utility>
#include <vector>

#include <absl/base/thread_annotations.h>
#include <absl/container/flat_hash_map.h>
#include <absl/synchronization/mutex.h>

#include "engine/sampling/constraint/local_mask.h"
#include "engine/sampling/constraint/vocabulary_trie.h"
#include "engine/text/constraint/grammar.h"

namespace enigma::engine {

// A grammar over the tokens of one vocabulary, with the masks of the states that were met, the least recently used of
// which go when they take too much memory. Shared by all sequences with the same schema, for whom the masks stay
// (hence shared_ptr). Thread-safe.
class TokenConstraint {
 public:
  static constexpr size_t kCacheBytesMax = size_t{8} << 20;

  // `shown`: control tokens that have their texts in a text with calls; as in MakeLocalMask.
  TokenConstraint(std::shared_ptr<const Grammar> grammar, std::shared_ptr<const VocabularyTrie> trie,
                  std::vector<ShownToken> shown = {}, size_t cache_bytes_max = kCacheBytesMax)
      : grammar_(std::move(grammar)),
        trie_(std::move(trie)),
        shown_(std::move(shown)),
        cache_bytes_max_(cache_bytes_max) {}

  const Grammar& grammar() const { return *grammar_; }
  const VocabularyTrie& trie() const { return *trie_; }
  // nullptr for a token that is none of these.
  const ShownToken* Shown(TokenId id) const;
  // Made at the first call for a state; two threads that ask at once may both make it.
  std::shared_ptr<const LocalMask> MaskOf(uint32_t rule, LocalState state) const;
  size_t cached_bytes() const;

 private:
  using Key = std::pair<uint32_t, LocalState>;
  struct Entry {
    Key key;
    std::shared_ptr<const LocalMask> mask;
  };

  const std::shared_ptr<const Grammar> grammar_;
  const std::shared_ptr<const VocabularyTrie> trie_;
  const std::vector<ShownToken> shown_;
  const size_t cache_bytes_max_;
  mutable absl::Mutex mutex_;
  mutable std::list<Entry> recent_ ABSL_GUARDED_BY(mutex_);  // the most recently used first
  mutable absl::flat_hash_map<Key, std::list<Entry>::iterator> entries_ ABSL_GUARDED_BY(mutex_);
  mutable size_t bytes_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace enigma::engine
