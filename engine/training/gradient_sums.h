#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "engine/tensor/aligned_buffer.h"
#include "engine/tensor/thread_pool.h"
#include "engine/training/parameters.h"

namespace enigma::engine {

// The gradients of any number of slots as one sum of 64-bit integers per value (docs/training.md): what is added, and
// in which order, leaves no trace. One thread calls.
class GradientSums {
 public:
  explicit GradientSums(const ParameterLayout& layout);

  void Clear();
  // Adds [begin, end) of a slot's flat gradient, whole parameters, in units of 2^-exponent of each. Values that do not
  // fit are counted in misfits() and spoil the sums; so do those that are not finite, and then false is returned.
  bool Add(const float* gradient, size_t begin, size_t end, std::span<const int32_t> exponents, ThreadPool& pool);

  std::span<int64_t> values() { return {sums_.data(), sums_.size()}; }
  std::span<const int64_t> values() const { return {sums_.data(), sums_.size()}; }
  const std::vector<int64_t>& misfits() const { return misfits_; }  // per parameter, of finite values

 private:
  const ParameterLayout& layout_;
  AlignedBuffer<int64_t> sums_;
  std::vector<int64_t> misfits_;
};

// Exponents for the next step, from the sums of this one: they keep the largest magnitude between 2^36 and 2^44.
void AdaptExponents(const ParameterLayout& layout, std::span<const int64_t> sums, std::vector<int32_t>& exponents,
                    ThreadPool& pool);
// Exponents with which a step is computed again, where values did not fit. False when one is at its end: the gradient
// has no sensible size any more.
bool LowerExponents(std::span<const int64_t> misfits, std::vector<int32_t>& exponents);

}  // namespace enigma::engine
