#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "engine/kernels/gemm.h"
#include "tests/unit/engine/kernels/every_target.h"
#include "tests/unit/engine/kernels/random_tensor.h"

namespace enigma::engine {
namespace {

constexpr float kSmallestNormal = 0x1p-126F;

bool IsSubnormal(float x) { return std::fpclassify(x) == FP_SUBNORMAL; }
float Flushed(float x) { return IsSubnormal(x) ? std::copysign(0.0F, x) : x; }

// Eight significant bits, to nearest even; in double, where that is a division, a rounding and a product.
float Rounded(float x) {
  if (Flushed(x) == 0 || !std::isfinite(x)) return Flushed(x);
  const double unit = std::ldexp(1.0, std::ilogb(x) - 7);
  return static_cast<float>(std::nearbyint(double{x} / unit) * unit);
}

// One half of the contract's link. What would be below the smallest normal number with more exponents is 0.
float Link(float a, float b, float sum) {
  const float result = std::fma(a, b, sum);
  const double exact = double{a} * double{b} + double{sum};  // but for what is far below the border's last bit
  return std::fabs(exact) < 0x1p-126 - 0x1p-151 ? std::copysign(0.0F, result) : result;
}

struct Shape {
  size_t m, n, k;
};

std::string Text(const Shape& s) { return std::to_string(s.m) + "x" + std::to_string(s.n) + "x" + std::to_string(s.k); }

// Whole tiles, edges of every kind, odd inner dimensions, more than one stretch and one block of rows.
const std::vector<Shape> kShapes = {{1, 1, 1},    {12, 32, 384},   {6, 16, 5},   {13, 33, 385},
                                    {25, 70, 31}, {337, 130, 400}, {5, 513, 64}, {24, 32, 33}};

struct Case {
  std::string name;
  Shape shape;
  std::vector<float> a;      // [m, k]
  std::vector<float> b;      // [k, n]
  std::vector<float> start;  // [m, n]
};

std::vector<float> Transposed(const std::vector<float>& x, size_t rows, size_t cols) {
  std::vector<float> y(x.size());
  for (size_t i = 0; i < rows; ++i) {
    for (size_t j = 0; j < cols; ++j) y[j * rows + i] = x[i * cols + j];
  }
  return y;
}

// Every element one after another in a row of twice as many, between others.
std::vector<float> Spread(const std::vector<float>& x) {
  std::vector<float> y(2 * x.size(), 1e30F);
  for (size_t i = 0; i < x.size(); ++i) y[2 * i] = x[i];
  return y;
}

std::vector<float> Chain(const Case& c, std::vector<float> sums) {
  const auto [m, n, k] = c.shape;
  std::vector<float> a(c.a.size());
  std::vector<float> b(c.b.size());
  std::transform(c.a.begin(), c.a.end(), a.begin(), Rounded);
  std::transform(c.b.begin(), c.b.end(), b.begin(), Rounded);
  for (size_t i = 0; i < m; ++i) {
    for (size_t j = 0; j < n; ++j) {
      float sum = Flushed(sums[i * n + j]);
      for (size_t p = 0; p < k; p += 2) {
        sum = p + 1 < k ? Link(a[i * k + p + 1], b[(p + 1) * n + j], sum) : Link(0, 0, sum);
        sum = Link(a[i * k + p], b[p * n + j], sum);
      }
      sums[i * n + j] = sum;
    }
  }
  return sums;
}

// Ordinary values, and among them zeros, subnormals, ties of the rounding and the largest that do not overflow.
std::vector<float> MixedFloats(size_t count, uint32_t seed) {
  std::vector<float> x = NormalFloats(count, seed);
  std::mt19937 generator(seed);
  for (float& value : x) {
    switch (generator() % 12) {
      case 0:
        value = std::copysign(0.0F, value);
        break;
      case 1:
        value *= 0x1p-128F;
        break;
      case 2:
        value = std::bit_cast<float>((std::bit_cast<uint32_t>(value) & 0xFFFF0000) | 0x8000);
        break;
      case 3:
        value *= 0x1p55F;
        break;
      default:
        break;
    }
  }
  return x;
}

// Products and sums on either side of the smallest normal number, and around the last bit of those next to it.
std::vector<float> TinyFactors(size_t count, uint32_t seed) {
  std::vector<float> x(count);
  std::mt19937 generator(seed);
  for (float& value : x) {
    const float significand = 1 + static_cast<float>(generator() % 8) / 8;
    const int exponent = generator() % 4 == 0 ? -63 : -74 - static_cast<int>(generator() % 3);
    value = std::ldexp(generator() % 2 == 0 ? significand : -significand, exponent);
  }
  return x;
}

std::vector<float> TinySums(size_t count, uint32_t seed) {
  std::vector<float> x(count);
  std::mt19937 generator(seed);
  for (float& value : x) {
    // Two below, the smallest normal number, two above.
    const float magnitude = std::bit_cast<float>(0x007FFFFE + static_cast<uint32_t>(generator() % 5));
    value = generator() % 2 == 0 ? magnitude : -magnitude;
  }
  return x;
}

std::vector<Case> Cases() {
  std::vector<Case> cases;
  for (const Shape& s : kShapes) {
    cases.push_back({"normal", s, NormalFloats(s.m * s.k, 1), NormalFloats(s.k * s.n, 2), NormalFloats(s.m * s.n, 3)});
    cases.push_back({"mixed", s, MixedFloats(s.m * s.k, 4), MixedFloats(s.k * s.n, 5), MixedFloats(s.m * s.n, 6)});
  }
  for (const Shape& s : {Shape{60, 64, 1}, Shape{60, 64, 2}, Shape{61, 63, 7}}) {
    cases.push_back({"tiny", s, TinyFactors(s.m * s.k, 7), TinyFactors(s.k * s.n, 8), TinySums(s.m * s.n, 9)});
  }
  return cases;
}

// Rows next to each other, columns next to each other, neither.
struct Layouts {
  explicit Layouts(const std::vector<float>& x, size_t rows, size_t cols)
      : along(x), across(Transposed(x, rows, cols)), spread(Spread(x)) {
    views = {{along.data(), cols, 1}, {across.data(), 1, rows}, {spread.data(), 2 * cols, 2}};
  }
  std::vector<float> along, across, spread;
  std::vector<MatrixView> views;
};

TEST(GemmBf16Test, EveryLayoutTargetAndThreadCountGivesTheBitsOfTheChain) {
  for (const Case& c : Cases()) {
    const auto [m, n, k] = c.shape;
    const Layouts a(c.a, m, k);
    const Layouts b(c.b, k, n);
    const std::vector<float> fresh = Chain(c, std::vector<float>(m * n));
    const std::vector<float> added = Chain(c, c.start);
    ForEveryTargetAndThreadCount([&](ThreadPool& pool) {
      for (size_t right = 0; right < b.views.size(); ++right) {
        GemmPanels panels(ProductPrecision::kBf16);
        panels.Set(b.views[right], k, n, pool);
        for (size_t left = 0; left < a.views.size(); ++left) {
          const auto expect = [&](const std::vector<float>& found, const std::vector<float>& expected) {
            for (size_t i = 0; i < found.size(); ++i) {
              ASSERT_EQ(std::bit_cast<uint32_t>(found[i]), std::bit_cast<uint32_t>(expected[i]))
                  << c.name << " " << Text(c.shape) << " on " << CpuTargetName() << ", layouts " << left << " and "
                  << right << ", element " << i;
            }
          };
          std::vector<float> out(m * n, 99.0F);
          Gemm(a.views[left], m, panels, out.data(), n, nullptr, pool);
          ASSERT_NO_FATAL_FAILURE(expect(out, fresh));
          Gemm(a.views[left], m, panels, out.data(), n, c.start.data(), pool);
          ASSERT_NO_FATAL_FAILURE(expect(out, added));
          out = c.start;
          Gemm(a.views[left], m, panels, out.data(), n, out.data(), pool);
          ASSERT_NO_FATAL_FAILURE(expect(out, added));
        }
      }
    });
  }
}

// Of one factor by 1, or 1 by one factor.
TEST(GemmBf16Test, FactorsAreRoundedToNearestEven) {
  constexpr struct {
    uint32_t from, to;
  } kRounded[] = {
      {0x3F800000, 0x3F800000}, {0x3F808000, 0x3F800000}, {0x3F808001, 0x3F810000}, {0x3F818000, 0x3F820000},
      {0xBF817FFF, 0xBF810000}, {0x00800000, 0x00800000}, {0x007FFFFF, 0x00000000}, {0x00000001, 0x00000000},
      {0x7F7F7FFF, 0x7F7F0000}, {0x7F7F8000, 0x7F800000}, {0x7F800000, 0x7F800000}, {0xFF800000, 0xFF800000},
  };
  ForEveryTargetAndThreadCount([&](ThreadPool& pool) {
    const float one = 1;
    for (const auto& [from, to] : kRounded) {
      const auto value = std::bit_cast<float>(from);
      for (const auto& [left, right] : {std::pair(&value, &one), std::pair(&one, &value)}) {
        GemmPanels panels(ProductPrecision::kBf16);
        panels.Set({right, 1, 1}, 1, 1, pool);
        float out = 0;
        Gemm({left, 1, 1}, 1, panels, &out, 1, nullptr, pool);
        EXPECT_EQ(std::bit_cast<uint32_t>(out), to) << CpuTargetName() << std::hex << " " << from;
      }
    }
    for (const uint32_t bits : {0x7FFFFFFFU, 0x7F800001U, 0xFFFFFFFFU, 0x7FFF8000U}) {
      const auto value = std::bit_cast<float>(bits);
      GemmPanels panels(ProductPrecision::kBf16);
      panels.Set({&one, 1, 1}, 1, 1, pool);
      float out = 0;
      Gemm({&value, 1, 1}, 1, panels, &out, 1, nullptr, pool);
      EXPECT_TRUE(std::isnan(out)) << CpuTargetName() << std::hex << " " << bits;
    }
  });
}

TEST(GemmBf16Test, SubnormalsOfOthersAreLeftAlone) {
  ThreadPool pool(1);
  const float one = 1;
  GemmPanels panels(ProductPrecision::kBf16);
  panels.Set({&one, 1, 1}, 1, 1, pool);
  for (const int64_t target : AvailableCpuTargets()) {
    ForceCpuTarget(target);
    float out = 0;
    Gemm({&one, 1, 1}, 1, panels, &out, 1, nullptr, pool);
    volatile float small = kSmallestNormal;
    EXPECT_GT(small / 2, 0.0F) << CpuTargetName();
  }
  ForceCpuTarget(0);
}

TEST(GemmBf16Test, WritesNothingBesideItsRowsAndPanelsAreUsedAgain) {
  ThreadPool pool(1);
  GemmPanels panels(ProductPrecision::kBf16);
  const std::vector<float> big = NormalFloats(64 * 64, 6);
  panels.Set({big.data(), 64, 1}, 64, 64, pool);
  const std::vector<float> a(3 * 3, 1.0F);
  const std::vector<float> b(3 * 5, 1.0F);
  panels.Set({b.data(), 5, 1}, 3, 5, pool);
  std::vector<float> c(3 * 8, 7.0F);
  Gemm({a.data(), 3, 1}, 3, panels, c.data(), 8, nullptr, pool);
  for (size_t i = 0; i < c.size(); ++i) EXPECT_EQ(c[i], i % 8 < 5 ? 3.0F : 7.0F) << i;
}

}  // namespace
}  // namespace enigma::engine
