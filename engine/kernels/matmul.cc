#include "engine/kernels/matmul.h"

#include <algorithm>

#include "engine/kernels/check.h"
#include "engine/kernels/matmul_cpu.h"
#include "engine/kernels/panel_layout.h"

namespace enigma::engine {
namespace {

MultiplyPanels KernelFor(DType type) {
  const QuantisedMatMulKernels& quantised = CpuQuantisedMatMulKernels();
  const PlainMatMulKernels& plain = CpuPlainMatMulKernels();
  switch (type) {
    case DType::kF32:
      return plain.f32;
    case DType::kF16:
      return plain.f16;
    case DType::kBF16:
      return plain.bf16;
    case DType::kQ4_0:
      return quantised.q4_0;
    case DType::kQ4_1:
      return quantised.q4_1;
    case DType::kQ5_0:
      return quantised.q5_0;
    case DType::kQ5_1:
      return quantised.q5_1;
    case DType::kQ8_0:
      return quantised.q8_0;
    case DType::kQ4_K:
      return quantised.q4_k;
    case DType::kQ5_K:
      return quantised.q5_k;
    case DType::kQ6_K:
      return quantised.q6_k;
  }
  return nullptr;
}

// Panels per chunk of work: enough chunks that threads finish together, each long enough to be worth claiming.
size_t PanelGrain(size_t panels, size_t panel_bytes, size_t tokens, int threads) {
  const size_t even = panels / (static_cast<size_t>(threads) * 8);
  const size_t worthwhile = 32768 / (panel_bytes * tokens + 1);
  // Kernels for few tokens read four panels side by side.
  return (std::clamp<size_t>(std::max(even, worthwhile), 1, 64) + 3) / 4 * 4;
}

}  // namespace

bool NeedsQuantisedActivations(DType type) { return IsQuantised(type); }

void ActivationRows::Set(const float* x, size_t tokens, size_t cols, size_t stride, bool quantise, ThreadPool& pool) {
  ENIGMA_KERNEL_CHECK(tokens <= 1 || stride >= cols);
  ENIGMA_KERNEL_CHECK(!quantise || cols % 32 == 0);
  x_ = x;
  tokens_ = tokens;
  cols_ = cols;
  stride_ = stride;
  quantised_ = quantise;
  if (!quantise || tokens == 0) return;
  constexpr size_t kElements = ActivationChunk::kElements;
  const size_t chunks = (cols + kElements - 1) / kElements;
  if (chunks_.size() < chunks * tokens) chunks_ = AlignedBuffer<ActivationChunk>(chunks * tokens);
  const QuantisedMatMulKernels& kernels = CpuQuantisedMatMulKernels();
  pool.ParallelFor(chunks * tokens, 32, [&](size_t begin, size_t end, int) {
    for (size_t i = begin; i < end; ++i) {
      const size_t first = i / tokens * kElements;
      kernels.quantise(x + i % tokens * stride + first, std::min(kElements, cols - first), chunks_.data() + i);
    }
  });
}

void MatMul(const PackedMatrix& w, const ActivationRows& x, float* y, size_t stride, ThreadPool& pool) {
  ENIGMA_KERNEL_CHECK(w.cols() == x.cols());
  ENIGMA_KERNEL_CHECK(x.quantised() || !IsQuantised(w.type()));
  ENIGMA_KERNEL_CHECK(x.tokens() <= 1 || stride >= w.rows());
  if (x.tokens() == 0) return;
  const MultiplyPanels multiply = KernelFor(w.type());
  const size_t grain = PanelGrain(w.panels(), w.bytes() / w.panels(), x.tokens(), pool.threads());
  pool.ParallelFor(w.panels(), grain, [&](size_t begin, size_t end, int) { multiply(w, x, begin, end, y, stride); });
}

}  // namespace enigma::engine
