#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "engine/text/constraint/grammar.h"

namespace enigma::engine {

// Outputs in progress as stacks of rules, of which the lower ones wait for those above. Stacks share what they have in
// common: each is known by its topmost frame. Not thread-safe. The grammar must outlive it.
class Pushdown {
 public:
  static constexpr uint32_t kOutside = 0;     // the frame below all rules: what came before is complete
  static constexpr size_t kStacksMax = 512;   // readings of the output that are pursued at once
  static constexpr uint32_t kDepthMax = 512;  // rules inside each other

  struct Frame {
    uint32_t parent = kOutside;
    uint32_t rule = 0;
    LocalState state = kDoneState;
    uint32_t depth = 0;
  };
  using Stacks = std::vector<uint32_t>;  // topmost frames

  explicit Pushdown(const Grammar& grammar) : grammar_(&grammar) { frames_.emplace_back(); }

  uint32_t Push(uint32_t parent, uint32_t rule, LocalState state) {
    frames_.push_back({parent, rule, state, frames_[parent].depth + 1});
    return static_cast<uint32_t>(frames_.size() - 1);
  }
  const Frame& frame(uint32_t id) const { return frames_[id]; }
  size_t size() const { return frames_.size(); }
  void Truncate(size_t size) { frames_.resize(size); }

  // Appends the stacks that `top` becomes with `byte`; none where it is not allowed. Too many are left out, which
  // Overflowed() tells.
  void Step(uint32_t top, uint8_t byte, size_t first, Stacks& out);
  // Whether all rules of the stack may end here.
  bool MayEnd(uint32_t top) const;
  bool Overflowed() const { return overflowed_; }
  void ClearOverflow() { overflowed_ = false; }
  // How much Step has done, in units of a few nanoseconds.
  uint64_t work() const { return work_; }

  // Keeps only the frames of `tops`, with equal ones joined, and renames them in `tops`, which comes back without
  // doubles.
  void Compact(Stacks& tops);

 private:
  void Emit(uint32_t parent, uint32_t rule, LocalState state, size_t first, Stacks& out);

  const Grammar* grammar_;
  std::vector<Frame> frames_;
  uint64_t work_ = 0;
  bool overflowed_ = false;
};

// Follows an output byte by byte.
class ByteMatcher {
 public:
  explicit ByteMatcher(const Grammar& grammar)
      : pushdown_(grammar), tops_{pushdown_.Push(Pushdown::kOutside, Grammar::kRoot, grammar.Start(Grammar::kRoot))} {}

  // False, and nothing changed, where the bytes are not allowed.
  bool Accept(std::string_view bytes);
  bool MayEnd() const;
  // The output is complete and nothing can follow.
  bool MustEnd() const { return tops_.size() == 1 && tops_.front() == Pushdown::kOutside; }
  // More readings or depth than are pursued: the output cannot be followed any further.
  bool Overflowed() const { return pushdown_.Overflowed(); }

  const Pushdown& pushdown() const { return pushdown_; }
  const Pushdown::Stacks& tops() const { return tops_; }

 private:
  Pushdown pushdown_;
  Pushdown::Stacks tops_;
};

}  // namespace enigma::engine
