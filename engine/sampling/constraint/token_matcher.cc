#include "engine/sampling/constraint/token_matcher.h"

#include <algorithm>
#include <utility>

#include <absl/strings/str_cat.h>

#include "base/status_macros.h"

namespace enigma::engine {
namespace {

absl::Status TooCostly() {
  return absl::ResourceExhaustedError(
      "the output's schema has too many readings at once: give its alternatives different beginnings");
}

}  // namespace

TokenMatcher::TokenMatcher(std::shared_ptr<const TokenConstraint> constraint)
    : constraint_(std::move(constraint)), pushdown_(constraint_->grammar()) {
  const Grammar& grammar = constraint_->grammar();
  tops_ = {pushdown_.Push(Pushdown::kOutside, Grammar::kRoot, grammar.Start(Grammar::kRoot))};
}

bool TokenMatcher::MayEnd() const {
  return ended_ || std::any_of(tops_.begin(), tops_.end(), [this](uint32_t top) { return pushdown_.MayEnd(top); });
}

// The frame that goes on when `top` is complete.
uint32_t TokenMatcher::Below(uint32_t top) const {
  uint32_t below = pushdown_.frame(top).parent;
  while (below != Pushdown::kOutside && pushdown_.frame(below).state == kDoneState) {
    below = pushdown_.frame(below).parent;
  }
  return below;
}

absl::Status TokenMatcher::AddStack(uint32_t top, uint64_t work_end, TokenBits& mask) {
  const VocabularyTrie& trie = constraint_->trie();
  while (top != Pushdown::kOutside) {
    const Pushdown::Frame& frame = pushdown_.frame(top);
    const std::shared_ptr<const LocalMask> local = constraint_->MaskOf(frame.rule, frame.state);
    if (local->too_costly) return TooCostly();
    local->AddTo(trie, mask);
    const uint32_t below = Below(top);
    top = Pushdown::kOutside;
    if (below == Pushdown::kOutside) break;
    for (const uint32_t exit : local->exits) {
      if (exit == VocabularyTrie::kRoot) {
        top = below;
        continue;
      }
      const bool done = walk_.Run(trie, exit, /*others_only=*/false, pushdown_, {&below, 1}, work_end,
                                  [&](uint32_t node, std::span<const uint32_t>) {
                                    for (const TokenId id : trie.Tokens(node)) SetToken(mask, id);
                                  });
      if (!done) return TooCostly();
    }
  }
  return absl::OkStatus();
}

absl::Status TokenMatcher::FillMask(TokenBits& mask) {
  const VocabularyTrie& trie = constraint_->trie();
  mask.assign(trie.words(), 0);
  const uint64_t work_end = pushdown_.work() + TrieWalk::kWorkMax;
  if (!ended_) {
    for (const uint32_t top : tops_) ENIGMA_RETURN_IF_ERROR(AddStack(top, work_end, mask));
  }
  if (MayEnd()) {
    for (const TokenId id : trie.end_tokens()) SetToken(mask, id);
  }
  if (std::all_of(mask.begin(), mask.end(), [](uint64_t word) { return word == 0; })) {
    return absl::FailedPreconditionError("no token of this model's vocabulary continues the output as its schema asks");
  }
  return absl::OkStatus();
}

Pushdown::Stacks TokenMatcher::TextTops(bool free) const {
  const Grammar& grammar = constraint_->grammar();
  Pushdown::Stacks tops;
  for (uint32_t top : tops_) {
    while (top != Pushdown::kOutside) {
      const Pushdown::Frame& frame = pushdown_.frame(top);
      if (const TextRule* text = grammar.Text(frame.rule); text != nullptr) {
        if (!free || text->free[frame.state] != 0) tops.push_back(top);
        break;
      }
      top = grammar.MayEnd(frame.rule, frame.state) ? Below(top) : Pushdown::kOutside;
    }
  }
  return tops;
}

absl::Status TokenMatcher::Accept(TokenId id) {
  const VocabularyTrie& trie = constraint_->trie();
  const auto refused = [id] {
    return absl::InvalidArgumentError(absl::StrCat("token ", id, " is not what the output's schema allows here"));
  };
  if (std::find(trie.end_tokens().begin(), trie.end_tokens().end(), id) != trie.end_tokens().end()) {
    if (!MayEnd()) return refused();
    ended_ = true;
    return absl::OkStatus();
  }
  if (id < 0 || static_cast<size_t>(id) >= trie.vocab_size() || ended_) return refused();
  Pushdown::Stacks tops = tops_;
  std::span<const uint8_t> bytes = trie.BytesOf(id);
  if (const ShownToken* shown = constraint_->Shown(id); shown != nullptr) {
    bytes = std::span(reinterpret_cast<const uint8_t*>(shown->text.data()), shown->text.size());
    tops = TextTops(/*free=*/false);
  } else if (HasToken(trie.silent(), id)) {
    tops = TextTops(/*free=*/true);
  }
  if (tops.empty()) return refused();
  const size_t frames = pushdown_.size();
  Pushdown::Stacks next;
  for (const uint8_t byte : bytes) {
    next.clear();
    for (const uint32_t top : tops) pushdown_.Step(top, byte, 0, next);
    if (pushdown_.Overflowed()) return TooCostly();
    tops.swap(next);
    if (tops.empty()) {
      pushdown_.Truncate(frames);
      return refused();
    }
  }
  tops_ = std::move(tops);
  pushdown_.Compact(tops_);
  return absl::OkStatus();
}

}  // namespace enigma::engine
