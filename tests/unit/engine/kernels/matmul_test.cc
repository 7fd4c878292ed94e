#include "engine/kernels/matmul.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/kernels/cpu_target.h"
#include "engine/kernels/panel_layout.h"
#include "tests/unit/engine/kernels/random_tensor.h"

namespace enigma::engine {
namespace {

std::string NameOf(const testing::TestParamInfo<DType>& info) { return Traits(info.param).name; }

PackedMatrix PackOrDie(const StoredMatrix& m, ThreadPool* pool = nullptr) {
  auto packed = PackedMatrix::Pack(m.type, m.rows, m.cols, m.stored, pool);
  EXPECT_TRUE(packed.ok()) << packed.status();
  return std::move(packed).value();
}

std::vector<float> Product(const PackedMatrix& w, const float* x, size_t tokens, ThreadPool& pool) {
  ActivationRows rows;
  rows.Set(x, tokens, w.cols(), w.cols(), NeedsQuantisedActivations(w.type()), pool);
  std::vector<float> y(tokens * w.rows(), -1);
  MatMul(w, rows, y.data(), w.rows(), pool);
  return y;
}

// The activations as the contract rounds them: restated here in scalar code.
std::vector<double> RoundedActivations(const float* x, size_t count) {
  std::vector<double> out(count);
  for (size_t b = 0; b < count; b += 32) {
    float amax = 0;
    for (size_t i = b; i < b + 32; ++i) amax = std::max(amax, std::fabs(x[i]));
    const float scale = amax / 127.0F;
    const float inverse = amax > 0 ? 127.0F / amax : 0;
    for (size_t i = b; i < b + 32; ++i) out[i] = static_cast<double>(scale) * std::nearbyint(x[i] * inverse);
  }
  return out;
}

class MatMulTest : public testing::TestWithParam<DType> {
 protected:
  size_t Cols(size_t k_blocks) const { return k_blocks * std::max(32U, Traits(GetParam()).block_elements); }
  void TearDown() override { ForceCpuTarget(0); }
  ThreadPool pool_{1};
};

class QuantisedMatMulTest : public MatMulTest {};

// Weights as stored times activations as rounded, in double: only the sums' roundings differ.
TEST_P(MatMulTest, AgreesWithDoubleReference) {
  for (const int64_t target : AvailableCpuTargets()) {
    ForceCpuTarget(target);
    for (const auto& [rows, k_blocks, tokens] :
         {std::tuple<size_t, size_t, size_t>{48, 3, 1}, {40, 2, 3}, {17, 20, 9}}) {
      const StoredMatrix m = RandomMatrix(GetParam(), rows, Cols(k_blocks), 1);
      const std::vector<float> x = NormalFloats(tokens * m.cols, 2);
      const std::vector<float> y = Product(PackOrDie(m), x.data(), tokens, pool_);
      for (size_t t = 0; t < tokens; ++t) {
        const float* row = x.data() + t * m.cols;
        const std::vector<double> a = NeedsQuantisedActivations(GetParam()) ? RoundedActivations(row, m.cols)
                                                                            : std::vector<double>(row, row + m.cols);
        for (size_t r = 0; r < rows; ++r) {
          double exact = 0;
          double magnitude = 0;
          double unrounded = 0;
          for (size_t c = 0; c < m.cols; ++c) {
            exact += m.values[r * m.cols + c] * a[c];
            unrounded += m.values[r * m.cols + c] * static_cast<double>(row[c]);
            magnitude += std::fabs(m.values[r * m.cols + c] * a[c]);
          }
          ASSERT_NEAR(y[t * rows + r], exact, magnitude * 3e-6) << "row " << r << " token " << t;
          ASSERT_NEAR(y[t * rows + r], unrounded, magnitude * 0.02) << "row " << r << " token " << t;
        }
      }
    }
  }
}

// Stored bytes that no quantiser of ours would write: extreme codes and scales of either sign.
TEST_P(QuantisedMatMulTest, AgreesOnArbitraryCodes) {
  StoredMatrix m = RandomMatrix(GetParam(), 32, Cols(2), 3);
  std::mt19937 generator(4);
  const DTypeTraits& traits = Traits(GetParam());
  const size_t block_count = m.stored.size() / traits.block_bytes;
  for (size_t b = 0; b < block_count; ++b) {
    uint8_t* block = m.stored.data() + b * traits.block_bytes;
    uint8_t scales[4];
    const size_t scale_at = GetParam() == DType::kQ6_K ? 208 : 0;
    const size_t scale_bytes =
        PackedMatrix::PackedBytes(GetParam(), 16, Cols(1)) > 0 && LayoutOf(GetParam()).minima ? 4 : 2;
    std::memcpy(scales, block + scale_at, scale_bytes);
    for (size_t i = 0; i < traits.block_bytes; ++i) block[i] = static_cast<uint8_t>(b % 5 == 0 ? 0xFF : generator());
    if (b % 7 == 0) std::fill(block, block + traits.block_bytes, GetParam() == DType::kQ8_0 ? 0x80 : 0x00);
    std::memcpy(block + scale_at, scales, scale_bytes);
  }
  Dequantise(m.type, m.stored.data(), m.values.size(), m.values.data());
  // Largest activations of one sign push the integer sums to their limits.
  std::vector<float> x(5 * m.cols, 1.0F);
  for (size_t i = 0; i < m.cols; ++i) x[m.cols + i] = -1.0F;
  for (size_t i = 2 * m.cols; i < x.size(); ++i) x[i] = static_cast<float>(generator() % 255) - 127.0F;
  for (const int64_t target : AvailableCpuTargets()) {
    ForceCpuTarget(target);
    for (const size_t tokens : {size_t{1}, size_t{5}}) {
      const std::vector<float> y = Product(PackOrDie(m), x.data(), tokens, pool_);
      for (size_t t = 0; t < tokens; ++t) {
        const std::vector<double> a = RoundedActivations(x.data() + t * m.cols, m.cols);
        for (size_t r = 0; r < m.rows; ++r) {
          double exact = 0;
          double magnitude = 0;
          for (size_t c = 0; c < m.cols; ++c) {
            exact += m.values[r * m.cols + c] * a[c];
            magnitude += std::fabs(m.values[r * m.cols + c] * a[c]);
          }
          // Affine types cancel: both of their terms are rounded at their own size.
          ASSERT_NEAR(y[t * m.rows + r], exact, magnitude * 1e-5 + 1e-4) << "row " << r << " token " << t;
        }
      }
    }
  }
}

// One token alone, any number together, any number of threads, any target: the same bits.
TEST_P(MatMulTest, SameBitsHoweverComputed) {
  const StoredMatrix m =
      RandomMatrix(GetParam(), 83, Cols(GetParam() == DType::kF32 ? 17 : 3) + (Cols(1) == 32 ? 512 : 0), 5);
  constexpr size_t kTokens = 150;
  const std::vector<float> x = NormalFloats(kTokens * m.cols, 6);
  ThreadPool packers(2);
  const PackedMatrix w = PackOrDie(m, &packers);
  std::vector<float> alone(kTokens * m.rows);
  for (size_t t = 0; t < kTokens; ++t) {
    const std::vector<float> y = Product(w, x.data() + t * m.cols, 1, pool_);
    std::copy(y.begin(), y.end(), alone.begin() + static_cast<std::ptrdiff_t>(t * m.rows));
  }
  std::vector<size_t> batches = {kTokens};
  for (size_t n = 2; n <= 33; ++n) batches.push_back(n);
  for (const int64_t target : AvailableCpuTargets()) {
    ForceCpuTarget(target);
    for (const int threads : {1, 2, 3}) {
      ThreadPool pool(threads);
      for (const size_t n : batches) {
        const std::vector<float> y = Product(w, x.data(), n, pool);
        ASSERT_EQ(std::memcmp(y.data(), alone.data(), y.size() * sizeof(float)), 0)
            << n << " tokens, " << threads << " threads, " << CpuTargetName();
      }
    }
  }
}

TEST_P(MatMulTest, WritesOnlyItsColumns) {
  const StoredMatrix m = RandomMatrix(GetParam(), 19, Cols(1), 7);
  const PackedMatrix w = PackOrDie(m);
  for (const size_t tokens : {size_t{2}, size_t{7}}) {
    const std::vector<float> x = NormalFloats(tokens * m.cols, 8);
    ActivationRows rows;
    rows.Set(x.data(), tokens, m.cols, m.cols, NeedsQuantisedActivations(m.type), pool_);
    const size_t stride = 24;
    std::vector<float> y(tokens * stride, 7.5F);
    MatMul(w, rows, y.data(), stride, pool_);
    for (size_t t = 0; t < tokens; ++t) {
      for (size_t r = 19; r < stride; ++r) EXPECT_EQ(y[t * stride + r], 7.5F);
    }
  }
}

TEST_P(MatMulTest, PackedSizeIsAsForetold) {
  const StoredMatrix m = RandomMatrix(GetParam(), 33, Cols(3), 9);
  EXPECT_EQ(PackOrDie(m).bytes(), PackedMatrix::PackedBytes(GetParam(), 33, Cols(3)));
  // Decoding is as fast as weights are read: packing whole panels may cost 3 % at most.
  const uint64_t stored = 2048 * RowBytes(GetParam(), 2048);
  EXPECT_LE(PackedMatrix::PackedBytes(GetParam(), 2048, 2048), stored + stored * 3 / 100);
}

INSTANTIATE_TEST_SUITE_P(Types, QuantisedMatMulTest,
                         testing::Values(DType::kQ4_0, DType::kQ4_1, DType::kQ5_0, DType::kQ5_1, DType::kQ8_0,
                                         DType::kQ4_K, DType::kQ5_K, DType::kQ6_K),
                         NameOf);
INSTANTIATE_TEST_SUITE_P(Types, MatMulTest, testing::ValuesIn(AllTypes()), NameOf);

// What "on every target" means here; the others are compared on machines that have them.
TEST(CpuTargetTest, EveryCompiledOneRunsHere) {
#if HWY_ARCH_X86 && !defined(ENIGMA_SANITIZED)
  const std::vector<int64_t> available = AvailableCpuTargets();
  for (const int64_t target : {HWY_AVX2, HWY_AVX3, HWY_AVX3_DL}) {
    if (std::find(available.begin(), available.end(), target) == available.end()) {
      GTEST_SKIP() << "this processor lacks " << hwy::TargetName(target) << ": its kernels are not compared here";
    }
  }
#endif
}

TEST(PackedMatrixTest, RefusesWrongSizes) {
  const std::vector<uint8_t> bytes(1000);
  EXPECT_FALSE(PackedMatrix::Pack(DType::kQ4_0, 4, 33, bytes, nullptr).ok());
  EXPECT_FALSE(PackedMatrix::Pack(DType::kQ4_0, 0, 32, {}, nullptr).ok());
  const auto packed = PackedMatrix::Pack(DType::kQ4_0, 4, 32, bytes, nullptr);
  ASSERT_FALSE(packed.ok());
  EXPECT_THAT(std::string(packed.status().message()), testing::HasSubstr("it takes 72 bytes, given 1000"));
}

TEST(ActivationRowsTest, TinyAndZeroBlocksBecomeZero) {
  const StoredMatrix m = RandomMatrix(DType::kQ4_1, 16, 64, 10);
  const PackedMatrix w = PackOrDie(m);
  std::vector<float> x(64, 0.0F);
  x[40] = 1e-38F;
  ThreadPool pool(1);
  EXPECT_THAT(Product(w, x.data(), 1, pool), testing::Each(0.0F));
}

}  // namespace
}  // namespace enigma::engine
