#include "worker/capability/product_speed.h"

#include <vector>

#include <absl/time/time.h>

#include "base/clock.h"
#include "engine/kernels/gemm.h"

namespace enigma::worker {

double MeasureProducts(engine::ProductPrecision precision, engine::ThreadPool& pool) {
  constexpr size_t kSide = 512;  // three of them fit into most second-level caches together
  constexpr absl::Duration kBudget = absl::Milliseconds(100);
  const std::vector<float> a(kSide * kSide, 0.5F);
  std::vector<float> c(kSide * kSide);
  engine::GemmPanels b(precision);
  b.Set({.data = a.data(), .row_stride = kSide}, kSide, kSide, pool);
  const auto multiply = [&] {
    engine::Gemm({.data = a.data(), .row_stride = kSide}, kSide, b, c.data(), kSide, /*start=*/nullptr, pool);
  };
  multiply();  // wakes the threads, and touches the memory
  const Clock& clock = Clock::System();
  const absl::Duration start = clock.Monotonic();
  absl::Duration spent;
  double products = 0;
  do {
    multiply();
    ++products;
    spent = clock.Monotonic() - start;
  } while (spent < kBudget);
  return products * 2.0 * kSide * kSide * kSide / absl::ToDoubleSeconds(spent);
}

}  // namespace enigma::worker
