#include "engine/training/silu_rows.h"

#include <algorithm>

#include "engine/kernels/swiglu.h"
#include "engine/kernels/swiglu_backward.h"

namespace enigma::engine {

void SiluRows::Forward(const float* raw, size_t rows, size_t width, float* out, ThreadPool& pool) {
  std::copy_n(raw, rows * width, out);
  Silu(out, width, rows, width, pool);
}

void SiluRows::Backward(const float* raw, size_t rows, size_t width, float* d_out, ThreadPool& pool) {
  // The gradient of `up` takes the place of its ones.
  float* up = up_.Reserve(rows * width);
  std::fill_n(up, rows * width, 1.0F);
  SwiGluBackward(d_out, width, raw, width, up, width, rows, width, d_out, width, up, width, nullptr, pool);
}

}  // namespace enigma::engine
