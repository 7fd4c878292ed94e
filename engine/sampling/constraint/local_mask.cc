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

namespace {

// For rules that call no others: the same as WalkRule, but some nanoseconds per node.
void WalkAutomaton(const ByteDfa& dfa, const VocabularyTrie& trie, uint32_t state, LocalMask& mask) {
  struct Level {
    uint32_t end;
    uint32_t state;
  };
  std::vector<Level> levels = {{trie.size(), state}};
  for (uint32_t node = VocabularyTrie::kRoot + 1; node < trie.size();) {
    while (node >= levels.back().end) levels.pop_back();
    const uint32_t next = dfa.Next(levels.back().state, trie.Byte(node));
    const uint32_t end = trie.End(node);
    if (next == ByteDfa::kDead) {
      node = end;
      continue;
    }
    const std::span<const TokenId> tokens = trie.Tokens(node);
    mask.tokens.insert(mask.tokens.end(), tokens.begin(), tokens.end());
    if (trie.HasChildren(node)) {
      if (dfa.Accepts(next)) mask.exits.push_back(node);
      levels.push_back({end, next});
    }
    ++node;
  }
}

// False when it takes too much work.
bool WalkRule(const VocabularyTrie& trie, Pushdown& pushdown, uint32_t base, LocalMask& mask) {
  const bool free = mask.free_characters > 0;
  const auto visit = [&](uint32_t node, std::span<const uint32_t> tops) {
    for (const TokenId id : trie.Tokens(node)) {
      if (!free || !trie.IsPlain(id)) mask.tokens.push_back(id);
    }
    const bool exit = trie.HasChildren(node) &&
                      std::any_of(tops.begin(), tops.end(), [&](uint32_t top) { return pushdown.MayEnd(top); });
    if (exit) mask.exits.push_back(node);
  };
  TrieWalk walk;
  return walk.Run(trie, VocabularyTrie::kRoot, /*others_only=*/free, pushdown, {&base, 1}, TrieWalk::kWorkMax, visit);
}

}  // namespace

LocalMask MakeLocalMask(const Grammar& grammar, const VocabularyTrie& trie, uint32_t rule, LocalState state) {
  LocalMask mask;
  Pushdown pushdown(grammar);
  const uint32_t base = pushdown.Push(Pushdown::kOutside, rule, state);
  mask.free_characters = grammar.FreeCharacters(rule, state);
  if (pushdown.MayEnd(base)) mask.exits.push_back(VocabularyTrie::kRoot);
  if (const ByteDfa* dfa = grammar.Automaton(rule); dfa != nullptr) {
    WalkAutomaton(*dfa, trie, static_cast<uint32_t>(state), mask);
  } else if (!WalkRule(trie, pushdown, base, mask)) {
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
