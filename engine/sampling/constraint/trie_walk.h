#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "engine/sampling/constraint/vocabulary_trie.h"
#include "engine/text/constraint/pushdown.h"

namespace enigma::engine {

// Walks the nodes of a vocabulary that a grammar allows. Keeps its memory from walk to walk. Not thread-safe.
class TrieWalk {
 public:
  // What one walk or the walks of one mask may cost, in Pushdown::work(): some 30 ms.
  static constexpr uint64_t kWorkMax = 4'000'000;

  // Calls visit(node, stacks) for each node below `from` whose bytes are allowed after `tops`; `others_only` leaves out
  // nodes where VocabularyTrie::HasOthers is false. False once pushdown.work() passes `work_end`.
  template <typename Visit>
  bool Run(const VocabularyTrie& trie, uint32_t from, bool others_only, Pushdown& pushdown,
           std::span<const uint32_t> tops, uint64_t work_end, const Visit& visit) {
    const size_t frames = pushdown.size();
    pool_.assign(tops.begin(), tops.end());
    levels_.assign(1, {trie.End(from), 0, pool_.size(), frames});
    for (uint32_t node = from + 1; node < trie.End(from);) {
      while (node >= levels_.back().end) levels_.pop_back();
      const Level parent = levels_.back();
      const uint32_t end = trie.End(node);
      if (others_only && !trie.HasOthers(node)) {
        node = end;
        continue;
      }
      pool_.resize(parent.last);
      pushdown.Truncate(parent.frames);
      for (size_t i = parent.first; i < parent.last; ++i) {
        pushdown.Step(pool_[i], trie.Byte(node), parent.last, pool_);
      }
      if (pushdown.work() > work_end || pushdown.Overflowed()) {
        pushdown.Truncate(frames);
        return false;
      }
      if (pool_.size() == parent.last) {
        node = end;
        continue;
      }
      visit(node, std::span<const uint32_t>(pool_).subspan(parent.last));
      if (end > node + 1) levels_.push_back({end, parent.last, pool_.size(), pushdown.size()});
      ++node;
    }
    pushdown.Truncate(frames);
    return true;
  }

 private:
  struct Level {
    uint32_t end;        // the first node that is not below
    size_t first, last;  // the stacks at the level's node, in pool_
    size_t frames;       // of the pushdown
  };
  std::vector<Level> levels_;
  std::vector<uint32_t> pool_;
};

}  // namespace enigma::engine
