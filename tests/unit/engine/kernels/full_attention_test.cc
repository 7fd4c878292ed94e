#include "engine/kernels/full_attention.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include <gtest/gtest.h>

#include "engine/kernels/full_attention_backward.h"
#include "tests/unit/engine/kernels/every_target.h"
#include "tests/unit/engine/kernels/random_tensor.h"

namespace enigma::engine {
namespace {

constexpr size_t kGap = 3;  // floats beside the rows that nobody may touch

// A packed batch of documents; queries, keys and values share rows.
struct Documents {
  CausalAttentionShape shape;
  std::vector<uint32_t> starts = {0};
  std::vector<float> qkv, d_out;
  std::vector<float> out, stats, d_qkv;

  Documents(uint32_t heads, uint32_t kv_heads, uint32_t head_dim, const std::vector<uint32_t>& rows, uint32_t seed)
      : shape{heads, kv_heads, head_dim, 1.3F / std::sqrt(static_cast<float>(head_dim)), 0} {
    for (const uint32_t count : rows) starts.push_back(starts.back() + count);
    qkv = NormalFloats(starts.back() * stride(), seed);
    d_out = NormalFloats(starts.back() * width(), seed + 100);
    d_qkv.assign(qkv.size(), 7.0F);
    out.assign(starts.back() * (width() + kGap), 7.0F);
    stats.assign(starts.back() * size_t{heads} * 2, 7.0F);
  }
  size_t width() const { return size_t{shape.heads} * shape.head_dim; }
  size_t k_at() const { return width(); }
  size_t v_at() const { return width() + size_t{shape.kv_heads} * shape.head_dim; }
  size_t stride() const { return width() + 2 * size_t{shape.kv_heads} * shape.head_dim + kGap; }

  void Run(ThreadPool& pool) {
    const float* in = qkv.data();
    FullAttention(shape, starts, in, stride(), in + k_at(), stride(), in + v_at(), stride(), out.data(), width() + kGap,
                  stats.data(), pool);
    float* to = d_qkv.data();
    FullAttentionBackward(shape, starts, d_out.data(), width(), in, stride(), in + k_at(), stride(), in + v_at(),
                          stride(), out.data(), width() + kGap, stats.data(), to, stride(), to + k_at(), stride(),
                          to + v_at(), stride(), pool);
  }

  // Document `i` as a batch of its own.
  Documents Alone(size_t i) const {
    Documents one(shape.heads, shape.kv_heads, shape.head_dim, {starts[i + 1] - starts[i]}, 0);
    std::copy_n(qkv.begin() + static_cast<long>(starts[i] * stride()), one.qkv.size(), one.qkv.begin());
    std::copy_n(d_out.begin() + static_cast<long>(starts[i] * width()), one.d_out.size(), one.d_out.begin());
    return one;
  }
};

std::vector<Documents> Batches() {
  return {Documents(2, 2, 32, {37, 1, 64, 0, 16, 17}, 1), Documents(6, 2, 8, {20, 5, 150}, 2),
          Documents(2, 1, 40, {50, 1, 81}, 3), Documents(1, 1, 256, {19}, 4), Documents(3, 3, 24, {9, 36}, 5)};
}

// One element in double.
double Exact(const Documents& d, size_t document, size_t row, size_t head, size_t i) {
  const size_t dim = d.shape.head_dim, kv = head / (d.shape.heads / d.shape.kv_heads);
  double total = 0, sum = 0;
  for (size_t t = d.starts[document]; t < d.starts[document + 1]; ++t) {
    const float* q = d.qkv.data() + row * d.stride() + head * dim;
    const float* k = d.qkv.data() + t * d.stride() + d.k_at() + kv * dim;
    double score = 0;
    for (size_t j = 0; j < dim; ++j) score += static_cast<double>(q[j]) * k[j];
    const double p = std::exp(score * d.shape.scale);
    total += p;
    sum += p * d.qkv[t * d.stride() + d.v_at() + kv * dim + i];
  }
  return sum / total;
}

TEST(FullAttentionTest, AgreesWithDoubleReference) {
  ThreadPool pool(2);
  for (Documents& d : Batches()) {
    d.Run(pool);
    for (size_t document = 0; document + 1 < d.starts.size(); ++document) {
      for (size_t row = d.starts[document]; row < d.starts[document + 1]; ++row) {
        for (size_t at = 0; at < d.width(); ++at) {
          const size_t head = at / d.shape.head_dim;
          ASSERT_NEAR(d.out[row * (d.width() + kGap) + at], Exact(d, document, row, head, at % d.shape.head_dim), 3e-6);
        }
        for (size_t gap = 0; gap < kGap; ++gap) ASSERT_EQ(d.out[row * (d.width() + kGap) + d.width() + gap], 7.0F);
      }
    }
  }
}

// The gradients of queries, keys and values in double, where the batch has them.
std::vector<double> ExactGradient(const Documents& d) {
  const size_t dim = d.shape.head_dim;
  std::vector<double> gradient(d.qkv.size(), 7.0);
  for (size_t row = 0; row < d.starts.back(); ++row)
    std::fill_n(gradient.begin() + static_cast<long>(row * d.stride()), d.stride() - kGap, 0.0);
  for (size_t document = 0; document + 1 < d.starts.size(); ++document) {
    for (size_t head = 0; head < d.shape.heads; ++head) {
      const size_t kv = head / (d.shape.heads / d.shape.kv_heads);
      const size_t k_at = d.k_at() + kv * dim, v_at = d.v_at() + kv * dim;
      for (size_t row = d.starts[document]; row < d.starts[document + 1]; ++row) {
        const float* q = d.qkv.data() + row * d.stride() + head * dim;
        const float* d_out = d.d_out.data() + row * d.width() + head * dim;
        std::vector<double> scores, p, d_p;
        double total = 0, mean = 0;
        for (size_t t = d.starts[document]; t < d.starts[document + 1]; ++t) {
          double score = 0, change = 0;
          for (size_t j = 0; j < dim; ++j) {
            score += static_cast<double>(q[j]) * d.qkv[t * d.stride() + k_at + j];
            change += static_cast<double>(d_out[j]) * d.qkv[t * d.stride() + v_at + j];
          }
          scores.push_back(score * d.shape.scale);
          d_p.push_back(change);
        }
        const double largest = scores.empty() ? 0 : *std::max_element(scores.begin(), scores.end());
        for (size_t t = 0; t < scores.size(); ++t) {
          p.push_back(std::exp(scores[t] - largest));
          total += p[t];
          mean += p[t] * d_p[t];
        }
        for (size_t t = d.starts[document]; t < d.starts[document + 1]; ++t) {
          const double share = p[t - d.starts[document]] / total;
          const double d_score = share * (d_p[t - d.starts[document]] - mean / total) * d.shape.scale;
          for (size_t j = 0; j < dim; ++j) {
            gradient[row * d.stride() + head * dim + j] += d_score * d.qkv[t * d.stride() + k_at + j];
            gradient[t * d.stride() + k_at + j] += d_score * q[j];
            gradient[t * d.stride() + v_at + j] += share * d_out[j];
          }
        }
      }
    }
  }
  return gradient;
}

TEST(FullAttentionTest, GradientAgreesWithDoubleReference) {
  ThreadPool pool(2);
  for (Documents& d : Batches()) {
    d.Run(pool);
    const std::vector<double> exact = ExactGradient(d);
    for (size_t i = 0; i < exact.size(); ++i) {
      ASSERT_NEAR(d.d_qkv[i], exact[i], 1e-5) << "row " << i / d.stride() << ", column " << i % d.stride();
    }
  }
}

// Scores far below zero: what fills up the last block must not come back as e^200.
TEST(FullAttentionTest, FillingHasNoGradient) {
  Documents d(1, 1, 8, {3}, 9);
  for (size_t row = 0; row < 3; ++row) {
    for (size_t i = 0; i < 8; ++i) {
      d.qkv[row * d.stride() + i] = 30.0F;
      d.qkv[row * d.stride() + d.k_at() + i] = -30.0F - static_cast<float>(row) * 0.001F;
    }
  }
  ThreadPool pool(1);
  d.Run(pool);
  // f32 has the scores to a few ten-thousandths, and keys multiply what comes of that by thirty.
  const std::vector<double> exact = ExactGradient(d);
  for (size_t i = 0; i < exact.size(); ++i) EXPECT_NEAR(d.d_qkv[i], exact[i], 0.05) << i;
}

TEST(FullAttentionTest, SameBitsOnEveryTargetAndThreadCountAndAlone) {
  for (const Documents& d : Batches()) {
    ThreadPool one(1);
    std::vector<float> out, d_qkv;
    for (size_t i = 0; i + 1 < d.starts.size(); ++i) {
      Documents alone = d.Alone(i);
      alone.Run(one);
      out.insert(out.end(), alone.out.begin(), alone.out.end());
      d_qkv.insert(d_qkv.end(), alone.d_qkv.begin(), alone.d_qkv.end());
    }
    ForEveryTargetAndThreadCount([&](ThreadPool& pool) {
      Documents again = d;
      again.Run(pool);
      ASSERT_EQ(std::memcmp(again.out.data(), out.data(), out.size() * sizeof(float)), 0) << CpuTargetName();
      ASSERT_EQ(std::memcmp(again.d_qkv.data(), d_qkv.data(), d_qkv.size() * sizeof(float)), 0) << CpuTargetName();
    });
  }
}

TEST(FullAttentionTest, StatsAreLargestScoreAndSum) {
  Documents d(2, 1, 16, {23}, 6);
  ThreadPool pool(1);
  d.Run(pool);
  const float* q = d.qkv.data() + 5 * d.stride() + 16;
  double largest = -1e9, sum = 0;
  std::vector<double> scores;
  for (size_t t = 0; t < 23; ++t) {
    double score = 0;
    for (size_t j = 0; j < 16; ++j) score += static_cast<double>(q[j]) * d.qkv[t * d.stride() + d.k_at() + j];
    scores.push_back(score * d.shape.scale);
    largest = std::max(largest, scores.back());
  }
  for (const double score : scores) sum += std::exp(score - largest);
  EXPECT_NEAR(d.stats[(5 * 2 + 1) * 2], largest, 1e-6);
  EXPECT_NEAR(d.stats[(5 * 2 + 1) * 2 + 1], sum, 1e-5);
}

}  // namespace
}  // namespace enigma::engine
