#include "worker/batching/step_policy.h"

#include <algorithm>

#include "engine/kernels/attention.h"
#include "engine/kv_cache/block_table.h"

namespace enigma::worker {
namespace {

using engine::BlocksFor;

uint32_t CeilDivide(uint32_t a, uint32_t b) { return (a + b - 1) / b; }

// The choice in the making: what is free and taken so far.
class Chooser {
 public:
  explicit Chooser(const BatchView& view)
      : view_(view), free_(view.free_blocks), preempted_(view.sequences.size()), taken_(view.sequences.size()) {}

  StepChoice Choose() && {
    if (view_.steps_in_flight >= view_.stage_count) return {};
    for (const SequenceView& sequence : view_.sequences) active_ += IsDecoding(sequence) ? 1 : 0;
    ChooseDecodes();
    ChoosePrefills();
    return std::move(choice_);
  }

 private:
  static bool IsDecoding(const SequenceView& s) {
    return s.started && !s.pooled && s.computed > 0 && (s.sampling || s.known - s.computed == 1);
  }
  static bool IsPrefilling(const SequenceView& s) { return s.started && !IsDecoding(s) && s.known > s.computed; }

  void ChooseDecodes() {
    const uint32_t cap = CeilDivide(active_, view_.stage_count);
    for (size_t i = 0; i < view_.sequences.size() && choice_.runs.size() < cap && rows_ < view_.max_rows; ++i) {
      const SequenceView& sequence = view_.sequences[i];
      if (!IsDecoding(sequence) || sequence.sampling || preempted_[i]) continue;
      TakeRows(i, 1);
    }
  }

  void ChoosePrefills() {
    const uint32_t limit = PrefillLimit();
    bool admitting = true;
    for (size_t i = 0; i < view_.sequences.size() && rows_ < limit; ++i) {
      const SequenceView& sequence = view_.sequences[i];
      if (preempted_[i] || sequence.sampling) {
        // A preempted sequence whose last token is not here yet still stands before the younger ones.
        if (!sequence.started || preempted_[i]) admitting = false;
        continue;
      }
      if (!sequence.started) {
        if (admitting && !CanAdmit(sequence)) admitting = false;
        if (!admitting) continue;
      } else if (!IsPrefilling(sequence)) {
        continue;
      }
      TakeRows(i, std::min(sequence.known - sequence.computed, limit - rows_));
    }
  }

  uint32_t PrefillLimit() const {
    const uint32_t most = active_ > 0 ? std::min(view_.max_rows, kMixedRows) : view_.max_rows;
    if (view_.stage_count == 1) return most;
    uint32_t pending = 0;
    for (const SequenceView& s : view_.sequences) pending += s.sampling || IsDecoding(s) ? 0 : s.known - s.computed;
    // Beside the decode rows already taken.
    return std::min(most, rows_ + std::max(kLeastPrefillRows, CeilDivide(pending, 2 * view_.stage_count)));
  }

  bool CanAdmit(const SequenceView& sequence) const {
    uint32_t promised = 0;
    for (size_t i = 0; i < view_.sequences.size(); ++i) {
      const SequenceView& s = view_.sequences[i];
      const uint32_t held = s.blocks + taken_[i];
      const bool started = (s.started || taken_[i] > 0) && !preempted_[i];
      if (started && BlocksFor(s.known) > held) promised += BlocksFor(s.known) - held;
    }
    return free_ >= promised + std::min(BlocksFor(sequence.known) + 1, sequence.blocks_most);
  }

  // Takes up to `count` rows of a sequence, as far as blocks can be had.
  void TakeRows(size_t index, uint32_t count) {
    const SequenceView& sequence = view_.sequences[index];
    // A run up to the last known token samples the next one; where the step has no room for its logits, it stops short.
    const auto wants_logits = [&] { return !sequence.pooled && sequence.computed + count == sequence.known; };
    if (wants_logits() && logit_rows_ == view_.max_logit_rows) --count;
    if (count == 0) return;
    const uint32_t needed = BlocksFor(sequence.computed + count);
    uint32_t blocks = sequence.blocks;
    while (blocks < needed) {
      if (free_ == 0 && !PreemptYoungerThan(index)) break;
      --free_;
      ++blocks;
      ++taken_[index];
    }
    count = std::min(count, blocks * engine::kKvBlockTokens - sequence.computed);
    if (count == 0) return;
    if (wants_logits()) ++logit_rows_;
    choice_.runs.push_back({.index = index, .count = count, .new_blocks = blocks - sequence.blocks});
    rows_ += count;
  }

  bool PreemptYoungerThan(size_t index) {
    for (size_t i = view_.sequences.size(); i-- > index + 1;) {
      const SequenceView& s = view_.sequences[i];
      // What this step already runs must keep its blocks.
      const bool runs =
          std::any_of(choice_.runs.begin(), choice_.runs.end(), [&](const auto& r) { return r.index == i; });
      if (!s.started || preempted_[i] || runs || s.blocks == 0) continue;
      preempted_[i] = true;
      free_ += s.blocks;
      choice_.preempted.push_back(i);
      return true;
    }
    return false;
  }

  const BatchView& view_;
  uint32_t free_;
  uint32_t active_ = 0;
  uint32_t rows_ = 0;
  uint32_t logit_rows_ = 0;
  std::vector<bool> preempted_;
  std::vector<uint32_t> taken_;
  StepChoice choice_;
};

}  // namespace

StepChoice ChooseStep(const BatchView& view) { return Chooser(view).Choose(); }

}  // namespace enigma::worker
