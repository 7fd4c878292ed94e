#include "engine/kernels/attention.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>

#include <gtest/gtest.h>

#include "engine/kernels/cpu_target.h"
#include "tests/unit/engine/kernels/random_tensor.h"

namespace enigma::engine {
namespace {

struct Shape {
  KvType type;
  uint32_t heads;
  uint32_t kv_heads;
  uint32_t head_dim;
  uint32_t window;
};

std::string NameOf(const testing::TestParamInfo<Shape>& info) {
  static constexpr const char* kTypes[] = {"f32", "f16", "bf16", "q8"};
  return std::string(kTypes[static_cast<size_t>(info.param.type)]) + "_" + std::to_string(info.param.heads) + "_" +
         std::to_string(info.param.kv_heads) + "_" + std::to_string(info.param.head_dim) + "_" +
         std::to_string(info.param.window);
}

// One layer's cache for one sequence, its blocks scattered, filled with NaN so that reading what was not stored shows.
class Cache {
 public:
  Cache(const Shape& shape, uint32_t tokens) {
    const uint32_t blocks = (tokens + kKvBlockTokens - 1) / kKvBlockTokens;
    view_.type = shape.type;
    view_.kv_heads = shape.kv_heads;
    view_.head_dim = shape.head_dim;
    view_.block_bytes = KvBlockBytes(shape.type, shape.kv_heads, shape.head_dim) + 64;
    memory_.assign((2 * blocks + 1) * view_.block_bytes / 4, std::nanf(""));
    view_.base = reinterpret_cast<uint8_t*>(memory_.data());
    for (uint32_t b = 0; b < blocks; ++b) table_.push_back(2 * (blocks - b) - 1);
  }
  const KvLayerView& view() const { return view_; }
  std::vector<AttentionRun> Run(uint32_t first, uint32_t count) const { return {{0, first, count, table_.data()}}; }

 private:
  KvLayerView view_;
  std::vector<float> memory_;
  std::vector<uint32_t> table_;
};

// A value as the cache rounds it.
std::vector<float> Rounded(KvType type, const float* x, uint32_t n) {
  std::vector<float> out(x, x + n);
  if (type == KvType::kF16) {
    for (float& v : out) v = HalfToFloat(FloatToHalf(v));
  } else if (type == KvType::kBF16) {
    for (float& v : out) v = BrainToFloat(FloatToBrain(v));
  } else if (type == KvType::kQ8) {
    float amax = 0;
    for (const float v : out) amax = std::max(amax, std::fabs(v));
    for (float& v : out) v = std::nearbyint(v * (127.0F / amax)) * (amax / 127.0F);
  }
  return out;
}

class AttentionTest : public testing::TestWithParam<Shape> {
 protected:
  static constexpr uint32_t kLength = 101;
  AttentionTest()
      : width_(GetParam().heads * GetParam().head_dim),
        kv_width_(GetParam().kv_heads * GetParam().head_dim),
        scale_(1.0F / std::sqrt(static_cast<float>(GetParam().head_dim))),
        q_(NormalFloats(size_t{kLength} * width_, 1, 2.0F)),
        k_(NormalFloats(size_t{kLength} * kv_width_, 2)),
        v_(NormalFloats(size_t{kLength} * kv_width_, 3)) {}
  void TearDown() override { ForceCpuTarget(0); }

  // Queries [0, length) fed in pieces of `piece`.
  std::vector<float> Fed(uint32_t piece, int threads, uint32_t length = kLength) {
    Cache cache(GetParam(), kLength);
    ThreadPool pool(threads);
    std::vector<float> out(size_t{length} * width_);
    for (uint32_t first = 0; first < length; first += piece) {
      const std::vector<AttentionRun> runs = cache.Run(first, std::min(piece, length - first));
      StoreKv(cache.view(), runs, k_.data() + first * kv_width_, v_.data() + first * kv_width_, kv_width_, pool);
      Attention(cache.view(), runs, q_.data() + first * width_, width_, GetParam().heads, scale_, GetParam().window,
                out.data() + first * width_, width_, pool);
    }
    return out;
  }

  uint32_t width_, kv_width_;
  float scale_;
  std::vector<float> q_, k_, v_;
};

TEST_P(AttentionTest, AgreesWithDoubleReference) {
  const Shape& s = GetParam();
  std::vector<std::vector<float>> keys;
  std::vector<std::vector<float>> values;
  for (size_t i = 0; i < size_t{kLength} * s.kv_heads; ++i) {
    keys.push_back(Rounded(s.type, k_.data() + i * s.head_dim, s.head_dim));
    values.push_back(Rounded(s.type, v_.data() + i * s.head_dim, s.head_dim));
  }
  const std::vector<float> out = Fed(kLength, 1);
  for (uint32_t p = 0; p < kLength; ++p) {
    for (uint32_t h = 0; h < s.heads; ++h) {
      const uint32_t kv = h / (s.heads / s.kv_heads);
      const float* q = q_.data() + p * width_ + h * s.head_dim;
      const uint32_t oldest = s.window == 0 || p < s.window ? 0 : p - s.window + 1;
      double total = 0;
      std::vector<double> sums(s.head_dim);
      for (uint32_t t = oldest; t <= p; ++t) {
        const std::vector<float>& key = keys[t * s.kv_heads + kv];
        const double score = std::inner_product(key.begin(), key.end(), q, 0.0) * scale_;
        const double weight = std::exp(score);
        total += weight;
        for (uint32_t i = 0; i < s.head_dim; ++i) sums[i] += weight * values[t * s.kv_heads + kv][i];
      }
      for (uint32_t i = 0; i < s.head_dim; ++i) {
        ASSERT_NEAR(out[p * width_ + h * s.head_dim + i], sums[i] / total, 5e-6) << "position " << p << " head " << h;
      }
    }
  }
}

TEST_P(AttentionTest, SameBitsWholeInPiecesAndTokenByToken) {
  const std::vector<float> whole = Fed(kLength, 1);
  for (const int64_t target : AvailableCpuTargets()) {
    ForceCpuTarget(target);
    for (const uint32_t piece : {kLength, 1U, 7U, 32U, 33U}) {
      for (const int threads : {1, 2, 3}) {
        const std::vector<float> out = Fed(piece, threads);
        ASSERT_EQ(std::memcmp(out.data(), whole.data(), out.size() * sizeof(float)), 0)
            << "pieces of " << piece << ", " << threads << " threads, " << CpuTargetName();
      }
    }
  }
}

TEST_P(AttentionTest, SequencesThatShareAStepDoNotMix) {
  // Two sequences with the same content at different lengths, in one step of three runs' worth of rows.
  const std::vector<float> alone = Fed(kLength, 1);
  Cache first(GetParam(), kLength);
  ThreadPool pool(2);
  StoreKv(first.view(), first.Run(0, 60), k_.data(), v_.data(), kv_width_, pool);
  // Rows 0-39: positions 20-59 again as queries of a second run over the same blocks; row 40: position 59.
  std::vector<AttentionRun> runs = first.Run(20, 40);
  runs.push_back(first.Run(59, 1)[0]);
  runs[1].row = 40;
  std::vector<float> q(41 * width_);
  std::copy_n(q_.begin() + 20 * width_, 40 * width_, q.begin());
  std::copy_n(q_.begin() + 59 * width_, width_, q.begin() + 40 * width_);
  std::vector<float> out(q.size());
  Attention(first.view(), runs, q.data(), width_, GetParam().heads, scale_, GetParam().window, out.data(), width_,
            pool);
  EXPECT_EQ(std::memcmp(out.data(), alone.data() + 20 * width_, 40 * width_ * sizeof(float)), 0);
  EXPECT_EQ(std::memcmp(out.data() + 40 * width_, alone.data() + 59 * width_, width_ * sizeof(float)), 0);
}

INSTANTIATE_TEST_SUITE_P(Shapes, AttentionTest,
                         testing::Values(Shape{KvType::kF32, 8, 4, 8, 0}, Shape{KvType::kF32, 8, 8, 64, 0},
                                         Shape{KvType::kF32, 16, 2, 64, 40}, Shape{KvType::kF16, 8, 4, 64, 0},
                                         Shape{KvType::kF16, 7, 1, 20, 5}, Shape{KvType::kBF16, 4, 2, 128, 0},
                                         Shape{KvType::kBF16, 3, 1, 12, 0}, Shape{KvType::kQ8, 8, 2, 64, 0},
                                         Shape{KvType::kQ8, 2, 2, 36, 33}, Shape{KvType::kF32, 80, 1, 16, 0}),
                         NameOf);

}  // namespace
}  // namespace enigma::engine
