#include "engine/kernels/gemm.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include <gtest/gtest.h>

#include "engine/kernels/cpu_target.h"
#include "tests/unit/engine/kernels/random_tensor.h"

namespace enigma::engine {
namespace {

class GemmTest : public testing::Test {
 protected:
  void TearDown() override { ForceCpuTarget(0); }
  ThreadPool pool_{1};
};

struct Shape {
  size_t m, n, k;
};
// Whole tiles, edges of every kind, more than one stretch and one block of rows.
const std::vector<Shape> kShapes = {{1, 1, 1}, {14, 32, 192}, {6, 16, 5}, {15, 33, 193}, {337, 300, 400}, {5, 513, 64}};

std::vector<float> Transposed(const std::vector<float>& x, size_t rows, size_t cols) {
  std::vector<float> y(x.size());
  for (size_t i = 0; i < rows; ++i) {
    for (size_t j = 0; j < cols; ++j) y[j * rows + i] = x[i * cols + j];
  }
  return y;
}

// The chain that the contract asks for.
std::vector<float> Chain(const std::vector<float>& a, const std::vector<float>& b, const Shape& s,
                         std::vector<float> c) {
  for (size_t i = 0; i < s.m; ++i) {
    for (size_t j = 0; j < s.n; ++j) {
      float sum = c[i * s.n + j];
      for (size_t k = 0; k < s.k; ++k) sum = std::fma(a[i * s.k + k], b[k * s.n + j], sum);
      c[i * s.n + j] = sum;
    }
  }
  return c;
}

TEST_F(GemmTest, EveryLayoutTargetAndThreadCountGivesTheBitsOfTheChain) {
  for (const Shape& s : kShapes) {
    const std::vector<float> a = NormalFloats(s.m * s.k, 1);
    const std::vector<float> b = NormalFloats(s.k * s.n, 2);
    const std::vector<float> before = NormalFloats(s.m * s.n, 3);
    const std::vector<float> at = Transposed(a, s.m, s.k);
    const std::vector<float> bt = Transposed(b, s.k, s.n);
    const std::vector<float> fresh = Chain(a, b, s, std::vector<float>(s.m * s.n));
    const std::vector<float> added = Chain(a, b, s, before);
    for (const int64_t target : AvailableCpuTargets()) {
      ForceCpuTarget(target);
      for (const int threads : {1, 3}) {
        ThreadPool pool(threads);
        for (const bool a_across : {false, true}) {
          for (const bool b_across : {false, true}) {
            GemmPanels panels;
            panels.Set(b_across ? MatrixView{bt.data(), 1, s.k} : MatrixView{b.data(), s.n, 1}, s.k, s.n, pool);
            const MatrixView left = a_across ? MatrixView{at.data(), 1, s.m} : MatrixView{a.data(), s.k, 1};
            std::vector<float> c = before;
            Gemm(left, s.m, panels, c.data(), s.n, /*start=*/nullptr, pool);
            ASSERT_EQ(std::memcmp(c.data(), fresh.data(), c.size() * 4), 0)
                << CpuTargetName() << " " << s.m << "x" << s.n << "x" << s.k << " " << a_across << b_across;
            c = before;
            Gemm(left, s.m, panels, c.data(), s.n, /*start=*/c.data(), pool);
            ASSERT_EQ(std::memcmp(c.data(), added.data(), c.size() * 4), 0) << CpuTargetName();
            std::fill(c.begin(), c.end(), 99.0F);
            Gemm(left, s.m, panels, c.data(), s.n, before.data(), pool);
            ASSERT_EQ(std::memcmp(c.data(), added.data(), c.size() * 4), 0) << CpuTargetName();
          }
        }
      }
    }
  }
}

TEST_F(GemmTest, AgreesWithDoubles) {
  const Shape s = {40, 50, 1000};
  const std::vector<float> a = NormalFloats(s.m * s.k, 4);
  const std::vector<float> b = NormalFloats(s.k * s.n, 5);
  GemmPanels panels;
  panels.Set({b.data(), s.n, 1}, s.k, s.n, pool_);
  std::vector<float> c(s.m * s.n);
  Gemm({a.data(), s.k, 1}, s.m, panels, c.data(), s.n, nullptr, pool_);
  for (size_t i = 0; i < s.m; ++i) {
    for (size_t j = 0; j < s.n; ++j) {
      double exact = 0;
      double size = 0;
      for (size_t k = 0; k < s.k; ++k) {
        const double product = static_cast<double>(a[i * s.k + k]) * static_cast<double>(b[k * s.n + j]);
        exact += product;
        size += std::fabs(product);
      }
      ASSERT_NEAR(c[i * s.n + j], exact, 2e-6 * size);
    }
  }
}

// A stride between rows that is wider than they are leaves what stands between them alone.
TEST_F(GemmTest, WritesNothingBesideItsRows) {
  const std::vector<float> a(3 * 4, 1.0F);
  const std::vector<float> b(4 * 5, 1.0F);
  GemmPanels panels;
  panels.Set({b.data(), 5, 1}, 4, 5, pool_);
  std::vector<float> c(3 * 8, 7.0F);
  Gemm({a.data(), 4, 1}, 3, panels, c.data(), 8, nullptr, pool_);
  for (size_t i = 0; i < c.size(); ++i) EXPECT_EQ(c[i], i % 8 < 5 ? 4.0F : 7.0F) << i;
}

TEST_F(GemmTest, PanelsAreUsedAgainForAnotherShape) {
  GemmPanels panels;
  const std::vector<float> big = NormalFloats(64 * 64, 6);
  panels.Set({big.data(), 64, 1}, 64, 64, pool_);
  const std::vector<float> b = {1, 2, 3, 4};
  panels.Set({b.data(), 2, 1}, 2, 2, pool_);
  const std::vector<float> a = {1, 10};
  std::vector<float> c(2);
  Gemm({a.data(), 2, 1}, 1, panels, c.data(), 2, nullptr, pool_);
  EXPECT_EQ(c, (std::vector<float>{31, 42}));
}

}  // namespace
}  // namespace enigma::engine
