#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "engine/spec/model_spec.h"
#include "engine/tensor/thread_pool.h"

namespace enigma::engine {

// Cosines and sines of every (position, pair), computed once with this project's own arithmetic so that every machine
// has the same bits. Su et al., "RoFormer", 2021; the stretched variants: YaRN (Peng et al., 2023), Llama 3.1's
// piecewise rule.
class RopeTable {
 public:
  // Positions [0, context).
  RopeTable(const RopeSpec& spec, uint32_t context);
  const float* cosines(uint32_t position) const { return table_.data() + size_t{position} * 2 * pairs_; }
  const float* sines(uint32_t position) const { return cosines(position) + pairs_; }
  uint32_t pairs() const { return pairs_; }
  uint32_t context() const { return context_; }

 private:
  uint32_t pairs_;
  uint32_t context_;
  std::vector<float> table_;
};

// Rotates `heads` heads of `head_dim` in each of `tokens` rows of x (row stride in floats), in place;
// positions: [tokens], each below table.context().
void Rope(float* x, size_t stride, size_t tokens, size_t heads, size_t head_dim, const uint32_t* positions,
          const RopeTable& table, RopePairing pairing, ThreadPool& pool);

}  // namespace enigma::engine
