#include "engine/kernels/rope.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>

#include <gtest/gtest.h>

#include "engine/kernels/cpu_target.h"
#include "engine/kernels/exact_math.h"
#include "tests/unit/engine/kernels/random_tensor.h"

namespace enigma::engine {
namespace {

constexpr double kPi = 3.14159265358979323846;

TEST(ExactMathTest, AgreesWithTheLibrary) {
  for (double x = 1e-6; x < 1e7; x *= 1.0137)
    ASSERT_NEAR(ExactLog(x), std::log(x), std::fabs(std::log(x)) * 4e-16 + 2e-16);
  for (double x = -40; x < 40; x += 0.0173) ASSERT_NEAR(ExactExp(x), std::exp(x), std::exp(x) * 1e-15);
  for (double x = -200000; x < 200000; x += 13.37) {
    double sine = 0;
    double cosine = 0;
    ExactSinCos(x, &sine, &cosine);
    ASSERT_NEAR(sine, std::sin(x), 1e-15) << x;
    ASSERT_NEAR(cosine, std::cos(x), 1e-15) << x;
  }
}

RopeSpec SpecOf(RopeScaling scaling, double factor, uint32_t original) {
  RopeSpec spec;
  spec.theta = 500000;
  spec.dimensions = 128;
  spec.scaling = scaling;
  spec.factor = factor;
  spec.original_context = original;
  return spec;
}

double PlainFrequency(const RopeSpec& spec, uint32_t pair) {
  return std::pow(spec.theta, -2.0 * pair / spec.dimensions);
}

void ExpectFrequencies(const RopeSpec& spec, double magnitude, const std::function<double(uint32_t)>& frequency) {
  const RopeTable table(spec, 9000);
  ASSERT_EQ(table.pairs(), spec.dimensions / 2);
  for (const uint32_t position : {0U, 1U, 77U, 8999U}) {
    for (uint32_t pair = 0; pair < table.pairs(); ++pair) {
      const double angle = position * frequency(pair);
      ASSERT_NEAR(table.cosines(position)[pair], magnitude * std::cos(angle), 1e-7) << position << " " << pair;
      ASSERT_NEAR(table.sines(position)[pair], magnitude * std::sin(angle), 1e-7) << position << " " << pair;
    }
  }
}

TEST(RopeTableTest, Plain) {
  const RopeSpec spec = SpecOf(RopeScaling::kNone, 1, 0);
  ExpectFrequencies(spec, 1, [&](uint32_t pair) { return PlainFrequency(spec, pair); });
}

TEST(RopeTableTest, LinearDividesEveryFrequency) {
  const RopeSpec spec = SpecOf(RopeScaling::kLinear, 4, 2048);
  ExpectFrequencies(spec, 1, [&](uint32_t pair) { return PlainFrequency(spec, pair) / 4; });
}

TEST(RopeTableTest, FrequencyFactorsDivide) {
  RopeSpec spec = SpecOf(RopeScaling::kNone, 1, 0);
  for (uint32_t pair = 0; pair < 64; ++pair) spec.frequency_factors.push_back(1.0F + static_cast<float>(pair) / 8);
  ExpectFrequencies(spec, 1, [&](uint32_t pair) { return PlainFrequency(spec, pair) / (1 + pair / 8.0); });
}

TEST(RopeTableTest, Llama3StretchesLongWavelengths) {
  const RopeSpec spec = SpecOf(RopeScaling::kLlama3, 8, 8192);
  ExpectFrequencies(spec, 1, [&](uint32_t pair) {
    const double f = PlainFrequency(spec, pair);
    const double wavelength = 2 * kPi / f;
    if (wavelength < 8192 / 4.0) return f;
    if (wavelength > 8192) return f / 8;
    const double smooth = (8192 / wavelength - 1) / 3;
    return (1 - smooth) * f / 8 + smooth * f;
  });
}

TEST(RopeTableTest, YarnBlendsAndSharpens) {
  const RopeSpec spec = SpecOf(RopeScaling::kYarn, 4, 2048);
  const auto pair_of = [&](double turns) {
    return 128 * std::log(2048 / (turns * 2 * kPi)) / (2 * std::log(500000.0));
  };
  const double low = std::floor(pair_of(32));
  const double high = std::ceil(pair_of(1));
  ExpectFrequencies(spec, 1 + 0.1 * std::log(4.0), [&](uint32_t pair) {
    const double f = PlainFrequency(spec, pair);
    const double ramp = std::clamp((pair - low) / (high - low), 0.0, 1.0);
    return f / 4 * ramp + f * (1 - ramp);
  });
}

TEST(RopeTest, RotatesBothPairingsOnEveryTarget) {
  constexpr uint32_t kHeads = 3;
  constexpr uint32_t kHeadDim = 44;
  constexpr size_t kTokens = 7;
  constexpr size_t kStride = kHeads * kHeadDim + 5;
  RopeSpec spec;
  spec.dimensions = 40;  // the last four elements of each head stay as they are
  const RopeTable table(spec, 100);
  const std::vector<float> x = NormalFloats(kTokens * kStride, 1);
  const uint32_t positions[kTokens] = {0, 1, 2, 50, 99, 3, 3};
  for (const RopePairing pairing : {RopePairing::kAdjacent, RopePairing::kHalves}) {
    std::vector<float> first;
    for (const int64_t target : AvailableCpuTargets()) {
      ForceCpuTarget(target);
      for (const int threads : {1, 2}) {
        ThreadPool pool(threads);
        std::vector<float> out = x;
        Rope(out.data(), kStride, kTokens, kHeads, kHeadDim, positions, table, pairing, pool);
        if (first.empty()) first = out;
        ASSERT_EQ(std::memcmp(out.data(), first.data(), out.size() * sizeof(float)), 0) << CpuTargetName();
      }
    }
    ForceCpuTarget(0);
    std::vector<float> expected = x;
    for (size_t t = 0; t < kTokens; ++t) {
      for (uint32_t h = 0; h < kHeads; ++h) {
        for (uint32_t i = 0; i < 20; ++i) {
          float* head = expected.data() + t * kStride + h * kHeadDim;
          float& a = pairing == RopePairing::kAdjacent ? head[2 * i] : head[i];
          float& b = pairing == RopePairing::kAdjacent ? head[2 * i + 1] : head[i + 20];
          const double angle = positions[t] * std::pow(10000.0, -2.0 * i / 40);
          const double u = a;
          const double w = b;
          a = static_cast<float>(u * std::cos(angle) - w * std::sin(angle));
          b = static_cast<float>(u * std::sin(angle) + w * std::cos(angle));
        }
      }
    }
    for (size_t i = 0; i < x.size(); ++i) ASSERT_NEAR(first[i], expected[i], 1e-6) << i;
  }
}

}  // namespace
}  // namespace enigma::engine
