#include "engine/kernels/fixed_point.h"

#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>
#include <random>

#include <gtest/gtest.h>

#include "tests/unit/engine/kernels/every_target.h"
#include "tests/unit/engine/kernels/random_tensor.h"

namespace enigma::engine {
namespace {

constexpr size_t kCount = 150011;  // more than two stretches, and no multiple of any vector

// Whole numbers of every size that an integer has, of both signs.
std::vector<int64_t> RandomSums(size_t count, uint64_t seed) {
  std::mt19937_64 generator(seed);
  std::vector<int64_t> sums(count);
  for (int64_t& sum : sums) {
    const uint64_t bits = generator();
    sum = static_cast<int64_t>(bits) >> (bits % 63);
  }
  return sums;
}

// Floats of every size from far below a unit of 2^-30 to 2^12.
std::vector<float> RandomValues(size_t count, uint32_t seed) {
  std::vector<float> values = NormalFloats(count, seed);
  for (size_t i = 0; i < count; ++i) values[i] = std::ldexp(values[i], static_cast<int>(i % 60) - 48);
  return values;
}

int64_t Units(float value, int exponent) {
  return std::llrint(std::ldexp(static_cast<double>(value), exponent));  // rounds to nearest even
}

TEST(FixedPointTest, AddsTheNearestWholeNumberOfUnits) {
  constexpr int kExponent = 30;
  const std::vector<float> values = RandomValues(kCount, 1);
  const std::vector<int64_t> start = RandomSums(kCount, 2);
  std::vector<int64_t> expected = start;
  for (size_t i = 0; i < kCount; ++i) {
    expected[i] = static_cast<int64_t>(static_cast<uint64_t>(start[i]) + static_cast<uint64_t>(Units(values[i], 30)));
  }
  ForEveryTargetAndThreadCount([&](ThreadPool& pool) {
    std::vector<int64_t> sums = start;
    EXPECT_EQ(AddFixedPoint(values.data(), kCount, kExponent, sums.data(), pool), 0U);
    ASSERT_EQ(std::memcmp(sums.data(), expected.data(), kCount * 8), 0) << CpuTargetName();
  });
}

TEST(FixedPointTest, HalvesGoToTheEvenUnit) {
  const std::vector<float> values = {0.25F, 0.75F, 1.25F, -0.25F, -0.75F, -1.25F, 0.2500001F, 1e-30F, -0.0F};
  const std::vector<int64_t> expected = {0, 2, 2, 0, -2, -2, 1, 0, 0};
  ForEveryTargetAndThreadCount([&](ThreadPool& pool) {
    std::vector<int64_t> sums(values.size());
    EXPECT_EQ(AddFixedPoint(values.data(), values.size(), 1, sums.data(), pool), 0U);
    EXPECT_EQ(sums, expected) << CpuTargetName();
  });
}

TEST(FixedPointTest, WhatDoesNotFitIsCountedAndAddsNothing) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const float below = std::nextafter(0x1p50F, 0.0F);
  std::vector<float> values(kCount, 1.0F);
  std::vector<int64_t> expected(kCount, 8);
  const float odd[] = {0x1p50F, -0x1p50F, 0x1p127F, kInfinity, -kInfinity, std::numeric_limits<float>::quiet_NaN()};
  for (size_t n = 0; n < 6; ++n) {
    for (const size_t i : {n * 17 + 5, kCount - 1 - n}) {
      values[i] = odd[n];
      expected[i] = 7;
    }
  }
  values[1] = below;
  values[2] = -below;
  expected[1] = 7 + static_cast<int64_t>(below);
  expected[2] = 7 - static_cast<int64_t>(below);
  ForEveryTargetAndThreadCount([&](ThreadPool& pool) {
    std::vector<int64_t> sums(kCount, 7);
    EXPECT_EQ(AddFixedPoint(values.data(), kCount, 0, sums.data(), pool), 12U);
    EXPECT_EQ(sums, expected) << CpuTargetName();
  });
}

TEST(FixedPointTest, GroupingChangesNothing) {
  ThreadPool pool(2);
  std::vector<int64_t> together(kCount);
  std::vector<int64_t> halves[2] = {std::vector<int64_t>(kCount), std::vector<int64_t>(kCount)};
  for (const uint32_t worker : {3, 1, 0, 2}) {
    const std::vector<float> values = NormalFloats(kCount, 10 + worker, 1e-3F);
    EXPECT_EQ(AddFixedPoint(values.data(), kCount, 36, together.data(), pool), 0U);
    EXPECT_EQ(AddFixedPoint(values.data(), kCount, 36, halves[worker % 2].data(), pool), 0U);
  }
  for (size_t i = 0; i < kCount; ++i) ASSERT_EQ(together[i], halves[0][i] + halves[1][i]);
}

TEST(FixedPointTest, BackToFloatsRoundsToNearest) {
  std::vector<int64_t> sums = RandomSums(kCount, 3);
  // Ties of the conversion to double and of that to float, and the ends of the range.
  sums[0] = (int64_t{1} << 53) + 1;
  sums[1] = (int64_t{1} << 53) + 3;
  sums[2] = (int64_t{1} << 24) + 1;
  sums[3] = (int64_t{1} << 24) + 3;
  sums[4] = std::numeric_limits<int64_t>::min();
  sums[5] = std::numeric_limits<int64_t>::max();
  for (const int exponent : {0, 30, 160, -20}) {  // 2^-160: most of these are below what a float can be
    std::vector<float> expected(kCount);
    for (size_t i = 0; i < kCount; ++i) {
      expected[i] = static_cast<float>(std::ldexp(static_cast<double>(sums[i]), -exponent));
    }
    ForEveryTargetAndThreadCount([&](ThreadPool& pool) {
      std::vector<float> values(kCount);
      FromFixedPoint(sums.data(), kCount, exponent, values.data(), pool);
      ASSERT_EQ(std::memcmp(values.data(), expected.data(), kCount * 4), 0) << CpuTargetName() << " " << exponent;
    });
  }
}

TEST(FixedPointTest, ValuesThatAreWholeUnitsComeBackAsTheyWere) {
  ThreadPool pool(2);
  std::vector<float> values = NormalFloats(kCount, 4);
  for (float& v : values) v = std::round(v * 0x1p20F) * 0x1p-20F;
  std::vector<int64_t> sums(kCount);
  EXPECT_EQ(AddFixedPoint(values.data(), kCount, 20, sums.data(), pool), 0U);
  std::vector<float> back(kCount);
  FromFixedPoint(sums.data(), kCount, 20, back.data(), pool);
  EXPECT_EQ(back, values);
}

TEST(FixedPointTest, SumOfSquaresIsNearTheTruthAndTheSameEverywhere) {
  for (const size_t count : {size_t{0}, size_t{1}, size_t{15}, size_t{16}, size_t{37}, kCount}) {
    const std::vector<int64_t> sums = RandomSums(count, 5);
    long double truth = 0;
    for (const int64_t sum : sums) truth += std::pow(static_cast<long double>(sum) * 0x1p-30L, 2.0L);
    ThreadPool one(1);
    ForceCpuTarget(AvailableCpuTargets().front());
    const double expected = SumOfSquares(sums.data(), count, 30, one);
    EXPECT_NEAR(expected, static_cast<double>(truth), static_cast<double>(truth) * 1e-14) << count;
    ForEveryTargetAndThreadCount(
        [&](ThreadPool& pool) { EXPECT_EQ(SumOfSquares(sums.data(), count, 30, pool), expected) << CpuTargetName(); });
  }
}

TEST(FixedPointTest, TheLargestMagnitudeOfEitherSign) {
  ForEveryTargetAndThreadCount([](ThreadPool& pool) {
    EXPECT_EQ(LargestMagnitude(nullptr, 0, pool), 0U);
    for (const size_t where : {size_t{0}, size_t{70000}, kCount - 1}) {
      std::vector<int64_t> sums(kCount, -3);
      EXPECT_EQ(LargestMagnitude(sums.data(), kCount, pool), 3U);
      sums[where] = 5;
      EXPECT_EQ(LargestMagnitude(sums.data(), kCount, pool), 5U);
      sums[where] = -(int64_t{1} << 40);
      EXPECT_EQ(LargestMagnitude(sums.data(), kCount, pool), uint64_t{1} << 40);
      sums[where] = std::numeric_limits<int64_t>::min();
      EXPECT_EQ(LargestMagnitude(sums.data(), kCount, pool), uint64_t{1} << 63);
    }
  });
}

}  // namespace
}  // namespace enigma::engine
