#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include <absl/status/status.h>

namespace enigma::engine {

// How the hidden states of a text become one vector.
enum class Pooling { kMean, kLast };

// The embedding of one sequence in the making: takes the normed hidden states that the last stage gives run by run, and
// adds them up in the order of their positions, whatever the runs (docs/numerics.md). Not thread-safe.
class HiddenPool {
 public:
  // Of a sequence of `tokens` tokens in a model whose hidden states have `width` elements.
  HiddenPool(Pooling pooling, uint32_t tokens, size_t width) : pooling_(pooling), tokens_(tokens), sum_(width) {}

  // How many of the last rows of the run [first, first + count) it needs: SequenceRun::states.
  uint32_t Wants(uint32_t first, uint32_t count) const;

  // The rows wanted of a run, [Wants(first, count), width]. A run at position 0 begins anew, as that of a sequence that
  // was preempted. InvalidArgument when runs leave a gap, go beyond the sequence, or come with other rows.
  absl::Status Add(uint32_t first, uint32_t count, std::span<const float> states);

  bool complete() const { return added_ == tokens_; }
  std::vector<float> Embedding() const;  // of unit length; once complete

 private:
  Pooling pooling_;
  uint32_t tokens_;
  uint32_t added_ = 0;       // positions seen
  std::vector<double> sum_;  // kLast: the last row
};

}  // namespace enigma::engine
