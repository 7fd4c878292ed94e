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

// For a text with calls. Nearly all tokens are allowed in its free parts, so its automaton is followed for all of them,
// and rules are only where a call begins.
class TextWalk {
 public:
  TextWalk(const Grammar& grammar, const VocabularyTrie& trie, uint32_t rule, LocalMask& mask)
      : text_(*grammar.Text(rule)), trie_(trie), pushdown_(grammar), rule_(rule), mask_(mask) {}

  // False when it takes too much work.
  bool Run(uint32_t state) {
    std::vector<Level> levels = {{trie_.size(), state}};
    for (uint32_t node = VocabularyTrie::kRoot + 1; node < trie_.size();) {
      while (node >= levels.back().end) levels.pop_back();
      const uint32_t at = levels.back().state;
      const uint32_t end = trie_.End(node);
      const uint32_t next = text_.dfa.Next(at, trie_.Byte(node));
      if (next != ByteDfa::kDead) {
        Take(node);
        if (end > node + 1) levels.push_back({end, next});
        ++node;
        continue;
      }
      if (text_.calls[at].slot != kNoSlot && !RunCall(node, at)) return false;
      node = end;
    }
    return true;
  }

  bool Allows(std::string_view bytes, uint32_t state) {
    Pushdown::Stacks tops = {pushdown_.Push(Pushdown::kOutside, rule_, state)};
    Pushdown::Stacks next;
    for (const char c : bytes) {
      next.clear();
      for (const uint32_t top : tops) pushdown_.Step(top, static_cast<uint8_t>(c), 0, next);
      tops.swap(next);
    }
    pushdown_.Truncate(1);
    return !tops.empty();
  }

 private:
  struct Level {
    uint32_t end;
    uint32_t state;
  };

  void Take(uint32_t node) {
    const std::span<const TokenId> tokens = trie_.Tokens(node);
    mask_.tokens.insert(mask_.tokens.end(), tokens.begin(), tokens.end());
  }

  // `node` and what is below it, where the rules of a call may take its byte at `state`.
  bool RunCall(uint32_t node, uint32_t state) {
    Pushdown::Stacks tops;
    pushdown_.Step(pushdown_.Push(Pushdown::kOutside, rule_, state), trie_.Byte(node), 0, tops);
    bool done = true;
    if (!tops.empty()) {
      Take(node);
      done = walk_.Run(trie_, node, /*others_only=*/false, pushdown_, tops, TrieWalk::kWorkMax,
                       [this](uint32_t below, std::span<const uint32_t>) { Take(below); });
    }
    pushdown_.Truncate(1);
    return done && !pushdown_.Overflowed();
  }

  const TextRule& text_;
  const VocabularyTrie& trie_;
  Pushdown pushdown_;
  TrieWalk walk_;
  const uint32_t rule_;
  LocalMask& mask_;
};

void AsBits(const VocabularyTrie& trie, LocalMask& mask) {
  mask.bits.assign(trie.words(), 0);
  for (const TokenId id : mask.tokens) SetToken(mask.bits, id);
  mask.tokens.clear();
}

LocalMask MakeTextMask(const Grammar& grammar, const VocabularyTrie& trie, std::span<const ShownToken> shown,
                       uint32_t rule, uint32_t state) {
  LocalMask mask;
  TextWalk walk(grammar, trie, rule, mask);
  mask.too_costly = !walk.Run(state);
  if (mask.too_costly) return mask;
  if (grammar.Text(rule)->free[state] != 0) {
    AsBits(trie, mask);
    for (size_t i = 0; i < mask.bits.size(); ++i) mask.bits[i] |= trie.silent()[i];
    for (const ShownToken& token : shown) ClearToken(mask.bits, token.id);
  }
  for (const ShownToken& token : shown) {
    if (walk.Allows(token.text, state)) mask.tokens.push_back(token.id);
  }
  return mask;
}

}  // namespace

LocalMask MakeLocalMask(const Grammar& grammar, const VocabularyTrie& trie, std::span<const ShownToken> shown,
                        uint32_t rule, LocalState state) {
  LocalMask mask;
  if (grammar.Text(rule) != nullptr) {
    mask = MakeTextMask(grammar, trie, shown, rule, static_cast<uint32_t>(state));
  } else {
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
  }
  if (mask.tokens.size() > trie.vocab_size() / 32 && mask.bits.empty()) AsBits(trie, mask);
  mask.tokens.shrink_to_fit();
  mask.exits.shrink_to_fit();
  return mask;
}

}  // namespace enigma::engine
