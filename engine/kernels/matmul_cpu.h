#pragma once

#include <cstddef>

#include "engine/kernels/matmul.h"

namespace enigma::engine {

// Products of panels [begin, end) with every token; y as MatMul's.
using MultiplyPanels = void (*)(const PackedMatrix& w, const ActivationRows& x, size_t begin, size_t end, float* y,
                                size_t stride);

struct QuantisedMatMulKernels {
  // `count` elements, a multiple of 32 and at most ActivationChunk::kElements.
  void (*quantise)(const float* x, size_t count, ActivationChunk* out);
  MultiplyPanels q4_0, q4_1, q5_0, q5_1, q8_0, q4_k, q5_k, q6_k;
};
const QuantisedMatMulKernels& CpuQuantisedMatMulKernels();

struct PlainMatMulKernels {
  MultiplyPanels f32, f16, bf16;
};
const PlainMatMulKernels& CpuPlainMatMulKernels();

}  // namespace enigma::engine
