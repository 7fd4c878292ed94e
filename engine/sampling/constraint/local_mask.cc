#include "engine/sampling/constraint/local_mask.h"

#include <algorithm>

#include "engine/sampling/constraint/trie_walk.h"
#include "engine/text/constraint/pushdown.h"

namespace enigma::engine {

void LocalMask::AddTo(const VocabularyTrie& trie, TokenBits& mask) const {
  if (free_characters > 0) trie.AddPlain(free_characters, mask);
  for (const TokenId id : tokens) SetToken(mask, id);
  for (size_t i = 0; i < bits.size(); ++i) mask[i] |= bits[i];
}

LocalMask MakeLocalMask(const Grammar& grammar, const VocabularyTrie& trie, uint32_t rule, LocalState state) {
  LocalMask mask;
  Pushdown pushdown(grammar);
  const uint32_t base = pushdown.Push(Pushdown::kOutside, rule, state);
  mask.free_characters = grammar.FreeCharacters(rule, state);
  const bool free = mask.free_characters > 0;
  if (pushdown.MayEnd(base)) mask.exits.push_back(VocabularyTrie::kRoot);
  TrieWalk walk;
  const bool done = walk.Run(trie, VocabularyTrie::kRoot, /*others_only=*/free, pushdown, {&base, 1},
                             TrieWalk::kWorkMax, [&](uint32_t node, std::span<const uint32_t> tops) {
                               for (const TokenId id : trie.Tokens(node)) {
                                 if (!free || !trie.IsPlain(id)) mask.tokens.push_back(id);
                               }
                               const bool exit = trie.HasChildren(node) &&
                                                 std::any_of(tops.begin(), tops.end(),
                                                             [&](uint32_t top) { return pushdown.MayEnd(top); });
                               if (exit) mask.exits.push_back(node);
                             });
  if (!done) {
    mask = LocalMask{};
    mask.too_costly = true;
    return mask;
  }
  if (mask.tokens.size() > trie.vocab_size() / 32) {
    mask.bits.assign(trie.words(), 0);
    for (const TokenId id : mask.tokens) SetToken(mask.bits, id);
    mask.tokens.clear();
  }
  mask.tokens.shrink_to_fit();
  mask.exits.shrink_to_fit();
  return mask;
}

}  // namespace enigma::engine
