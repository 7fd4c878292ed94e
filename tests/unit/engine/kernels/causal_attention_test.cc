#include "engine/kernels/causal_attention.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include <gtest/gtest.h>

#include "engine/kernels/causal_attention_backward.h"
#include "tests/unit/engine/kernels/every_target.h"
#include "tests/unit/engine/kernels/random_tensor.h"

namespace enigma::engine {
namespace {

constexpr size_t kGap = 3;  // floats beside the rows that nobody may touch

// A packed batch and what comes of it. q, k and v share rows, as products write them; so do their gradients.
struct Batch {
  CausalAttentionShape shape;
  std::vector<uint32_t> starts;
  std::vector<float> qkv, d_out;
  std::vector<float> out, stats, d_qkv;

  Batch(CausalAttentionShape s, const std::vector<uint32_t>& documents, uint32_t seed) : shape(s), starts{0} {
    shape.scale = 1.3F / std::sqrt(static_cast<float>(shape.head_dim));
    for (const uint32_t rows : documents) starts.push_back(starts.back() + rows);
    qkv = NormalFloats(tokens() * stride(), seed);
    d_out = NormalFloats(tokens() * width(), seed + 1);
    out.assign(tokens() * (width() + kGap), 7.0F);
    stats.assign(tokens() * shape.heads * 2, 7.0F);
    d_qkv.assign(qkv.size(), 7.0F);
  }
  size_t tokens() const { return starts.back(); }
  size_t width() const { return size_t{shape.heads} * shape.head_dim; }
  size_t k_at() const { return width(); }
  size_t v_at() const { return width() + size_t{shape.kv_heads} * shape.head_dim; }
  size_t stride() const { return width() + 2 * size_t{shape.kv_heads} * shape.head_dim + kGap; }

  void Run(ThreadPool& pool) {
    const float* in = qkv.data();
    CausalAttention(shape, starts, in, stride(), in + k_at(), stride(), in + v_at(), stride(), out.data(),
                    width() + kGap, stats.data(), pool);
    float* to = d_qkv.data();
    CausalAttentionBackward(shape, starts, d_out.data(), width(), in, stride(), in + k_at(), stride(), in + v_at(),
                            stride(), out.data(), width() + kGap, stats.data(), to, stride(), to + k_at(), stride(),
                            to + v_at(), stride(), pool);
  }

  // Document `i` as a batch of its own.
  Batch Alone(size_t i) const {
    Batch one(shape, {starts[i + 1] - starts[i]}, 0);
    one.shape = shape;
    std::copy_n(qkv.begin() + starts[i] * stride(), one.qkv.size(), one.qkv.begin());
    std::copy_n(d_out.begin() + starts[i] * width(), one.d_out.size(), one.d_out.begin());
    return one;
  }
};

// Whole blocks and edges of every kind, documents of one row and of none, groups of heads, windows shorter and longer
// than a block and than what is in memory at a time.
std::vector<Batch> Batches() {
  const auto shape = [](uint32_t heads, uint32_t kv_heads, uint32_t head_dim, uint32_t window = 0) {
    return CausalAttentionShape{heads, kv_heads, head_dim, 0, window};
  };
  return {Batch(shape(2, 2, 32), {37, 1, 64, 0, 16, 17}, 1),
          Batch(shape(6, 2, 8), {20, 5, 150}, 2),
          Batch(shape(2, 1, 40, 5), {50, 1, 81}, 3),
          Batch(shape(1, 1, 128, 33), {100, 31}, 4),
          Batch(shape(2, 1, 64, 16), {81, 1, 1, 48}, 5),
          Batch(shape(2, 2, 16, 100), {300, 2}, 6),
          Batch(shape(1, 1, 256, 1), {19}, 7),
          Batch(shape(3, 1, 24), {133}, 8),
          Batch(shape(2, 1, 16, 1000000), {70}, 9)};
}

// The operator and its gradient in T, in the order of sums that the headers state. Multiply-adds are fused.
template <typename T>
class Reference {
 public:
  explicit Reference(const Batch& batch)
      : qkv(batch.qkv.begin(), batch.qkv.end()),
        out(batch.tokens() * batch.width()),
        d_qkv(batch.qkv.size()),
        b_(batch) {
    for (size_t i = 0; i + 1 < b_.starts.size(); ++i) {
      for (size_t head = 0; head < b_.shape.heads; ++head) {
        for (size_t j = b_.starts[i]; j < b_.starts[i + 1]; ++j) Query(b_.starts[i], j, head);
      }
    }
  }
  std::vector<T> qkv, out, d_qkv;

 private:
  static T Exp(T x);
  T Dot(const T* a, const T* b, T factor) const {
    T sum = 0;
    for (size_t i = 0; i < b_.shape.head_dim; ++i) sum = std::fma(a[i], static_cast<T>(b[i] * factor), sum);
    return sum;
  }

  void Query(size_t document, size_t j, size_t head) {
    const size_t dim = b_.shape.head_dim;
    const size_t kv_head = head / (b_.shape.heads / b_.shape.kv_heads);
    const size_t window = b_.shape.window;
    const size_t first = window == 0 || j - document < window ? document : j + 1 - window;
    const auto at = [&](std::vector<T>& x, size_t row, size_t offset) { return x.data() + row * b_.stride() + offset; };
    const size_t k_at = b_.k_at() + kv_head * dim;
    const size_t v_at = b_.v_at() + kv_head * dim;
    const T* q = at(qkv, j, head * dim);
    const T scale = static_cast<T>(b_.shape.scale);

    std::vector<T> p(j + 1);
    for (size_t t = first; t <= j; ++t) p[t] = Dot(at(qkv, t, k_at), q, scale);
    const T largest = *std::max_element(p.begin() + first, p.end());
    T l[4] = {};
    for (size_t t = first; t <= j; ++t) {
      p[t] = Exp(p[t] - largest);
      l[(t - document) % 4] += p[t];
    }
    const T inverse = 1 / ((l[0] + l[2]) + (l[1] + l[3]));
    const std::vector<T> d_out(b_.d_out.begin() + j * b_.width() + head * dim,
                               b_.d_out.begin() + j * b_.width() + (head + 1) * dim);
    T parts[16] = {};
    for (size_t i = 0; i < dim; ++i) {
      T sum = 0;
      for (size_t t = first; t <= j; ++t) sum = std::fma(p[t], at(qkv, t, v_at)[i], sum);
      out[j * b_.width() + head * dim + i] = sum * inverse;
      parts[i % 16] = std::fma(d_out[i], static_cast<T>(sum * inverse), parts[i % 16]);
    }
    for (size_t half = 8; half > 0; half /= 2) {
      for (size_t i = 0; i < half; ++i) parts[i] += parts[i + half];
    }
    for (size_t t = first; t <= j; ++t) {
      const T weight = p[t] * inverse;
      const T d_score = (weight * (Dot(at(qkv, t, v_at), d_out.data(), 1) - parts[0])) * scale;
      for (size_t i = 0; i < dim; ++i) {
        T& d_q = at(d_qkv, j, head * dim)[i];
        T& d_k = at(d_qkv, t, k_at)[i];
        T& d_v = at(d_qkv, t, v_at)[i];
        d_q = std::fma(d_score, at(qkv, t, k_at)[i], d_q);
        d_k = std::fma(d_score, q[i], d_k);
        d_v = std::fma(weight, d_out[i], d_v);
      }
    }
  }

  const Batch& b_;
};

template <>
double Reference<double>::Exp(double x) {
  return std::exp(x);
}
// As docs/numerics.md has it.
template <>
float Reference<float>::Exp(float x) {
  if (x < -87.33F) return 0;
  const float n = std::nearbyint(x * 0x1.715476p+0F);
  float r = std::fma(-n, 0x1.63p-1F, x);
  r = std::fma(-n, -0x1.bd0106p-13F, r);
  float q = 0x1.6d119ap-10F;
  for (const float c : {0x1.120cp-7F, 0x1.555518p-5F, 0x1.5554dcp-3F, 0.5F}) q = std::fma(q, r, c);
  return std::ldexp(std::fma(q, r * r, r) + 1, static_cast<int>(n));
}

// Whether element i of q, k and v, or of their gradients, lies beside the rows.
bool InGap(const Batch& b, size_t i) { return i % b.stride() >= b.stride() - kGap; }

TEST(CausalAttentionTest, AgreesWithDoubles) {
  for (Batch& b : Batches()) {
    ThreadPool pool(1);
    b.Run(pool);
    const Reference<double> exact(b);
    for (size_t i = 0; i < exact.out.size(); ++i) {
      ASSERT_NEAR(b.out[i / b.width() * (b.width() + kGap) + i % b.width()], exact.out[i], 4e-6) << i;
    }
    for (size_t i = 0; i < b.d_qkv.size(); ++i) {
      if (!InGap(b, i)) {
        ASSERT_NEAR(b.d_qkv[i], exact.d_qkv[i], 2e-5 + 4e-6 * std::fabs(exact.d_qkv[i])) << i;
      }
    }
  }
}

// The bits that the headers promise, whatever computes them and whoever else is in the batch.
TEST(CausalAttentionTest, HasTheBitsOfItsContractOnEveryTargetAndThreadCountAndAlone) {
  for (const Batch& b : Batches()) {
    const Reference<float> chain(b);
    ForEveryTargetAndThreadCount([&](ThreadPool& pool) {
      Batch run = b;
      run.Run(pool);
      for (size_t i = 0; i < run.out.size(); ++i) {
        const size_t row = i / (b.width() + kGap);
        const size_t column = i % (b.width() + kGap);
        ASSERT_EQ(run.out[i], column < b.width() ? chain.out[row * b.width() + column] : 7.0F)
            << CpuTargetName() << " " << pool.threads() << " threads, row " << row << " column " << column;
      }
      for (size_t i = 0; i < run.d_qkv.size(); ++i) {
        ASSERT_EQ(run.d_qkv[i], InGap(b, i) ? 7.0F : chain.d_qkv[i])
            << CpuTargetName() << " " << pool.threads() << " threads, row " << i / b.stride() << " column "
            << i % b.stride();
      }
      for (size_t document = 0; document + 1 < b.starts.size(); ++document) {
        if (b.starts[document] == b.starts[document + 1]) continue;  // nothing to compare, and nowhere to point to
        Batch one = b.Alone(document);
        one.Run(pool);
        const size_t row = b.starts[document];
        const float* out = run.out.data() + row * (b.width() + kGap);
        ASSERT_EQ(std::memcmp(one.out.data(), out, one.out.size() * sizeof(float)), 0) << document;
        const float* d_qkv = run.d_qkv.data() + row * b.stride();
        ASSERT_EQ(std::memcmp(one.d_qkv.data(), d_qkv, one.d_qkv.size() * sizeof(float)), 0) << document;
        const float* stats = run.stats.data() + row * b.shape.heads * 2;
        ASSERT_EQ(std::memcmp(one.stats.data(), stats, one.stats.size() * sizeof(float)), 0) << document;
      }
    });
  }
}

// Sum of out * d_out, whose slope the backward pass computes.
double Loss(const Batch& b) {
  const Reference<double> exact(b);
  double loss = 0;
  for (size_t i = 0; i < exact.out.size(); ++i) loss += exact.out[i] * static_cast<double>(b.d_out[i]);
  return loss;
}

TEST(CausalAttentionTest, GradientsAgreeWithFiniteDifferences) {
  Batch b({4, 2, 8, 0, 6}, {11, 1, 4}, 20);
  ThreadPool pool(1);
  b.Run(pool);
  constexpr float kStep = 0x1p-10F;
  for (size_t i = 0; i < b.qkv.size(); i += 3) {
    if (InGap(b, i)) continue;
    Batch moved = b;
    moved.qkv[i] = b.qkv[i] + kStep;
    const double above = Loss(moved);
    const double step = static_cast<double>(moved.qkv[i]) - static_cast<double>(b.qkv[i]);
    moved.qkv[i] = b.qkv[i] - kStep;
    const double steps = step + static_cast<double>(b.qkv[i]) - static_cast<double>(moved.qkv[i]);
    EXPECT_NEAR(b.d_qkv[i], (above - Loss(moved)) / steps, 1e-4) << i;
  }
}

// Gradients may take the place of what they belong to, and outputs that of queries.
TEST(CausalAttentionTest, WorksInPlace) {
  ThreadPool pool(1);
  Batch b({4, 2, 16, 0, 0}, {90, 3}, 30);
  b.Run(pool);
  const size_t width = b.width();
  const size_t out_stride = width + kGap;

  std::vector<float> out(b.out.size(), 7.0F);
  for (size_t t = 0; t < b.tokens(); ++t) std::copy_n(&b.qkv[t * b.stride()], width, &out[t * out_stride]);
  const float* in = b.qkv.data();
  CausalAttention(b.shape, b.starts, out.data(), out_stride, in + b.k_at(), b.stride(), in + b.v_at(), b.stride(),
                  out.data(), out_stride, nullptr, pool);
  EXPECT_EQ(out, b.out);

  std::vector<float> qkv = b.qkv;
  float* both = qkv.data();
  CausalAttentionBackward(b.shape, b.starts, b.d_out.data(), width, both, b.stride(), both + b.k_at(), b.stride(),
                          both + b.v_at(), b.stride(), b.out.data(), out_stride, b.stats.data(), both, b.stride(),
                          both + b.k_at(), b.stride(), both + b.v_at(), b.stride(), pool);
  std::vector<float> d_out = b.d_out;
  std::vector<float> d_kv(b.qkv.size());
  CausalAttentionBackward(b.shape, b.starts, d_out.data(), width, in, b.stride(), in + b.k_at(), b.stride(),
                          in + b.v_at(), b.stride(), b.out.data(), out_stride, b.stats.data(), d_out.data(), width,
                          d_kv.data() + b.k_at(), b.stride(), d_kv.data() + b.v_at(), b.stride(), pool);
  for (size_t i = 0; i < qkv.size(); ++i) {
    if (InGap(b, i)) continue;
    ASSERT_EQ(qkv[i], b.d_qkv[i]) << i;
    const size_t column = i % b.stride();
    ASSERT_EQ(column < width ? d_out[i / b.stride() * width + column] : d_kv[i], b.d_qkv[i]) << i;
  }
}

// A document beyond what scratch memory held before, with scores far apart and all alike.
TEST(CausalAttentionTest, KeepsToItsRangeOverLongDocuments) {
  Batch b({1, 1, 8, 0, 0}, {3, 2000}, 40);
  for (size_t t = 3; t < 1000; ++t) std::fill_n(b.qkv.begin() + t * b.stride(), b.stride(), 0.0F);
  for (size_t t = 1000; t < b.tokens(); ++t) {
    for (size_t i = 0; i < 16; ++i) b.qkv[t * b.stride() + i] *= 30.0F;
  }
  ThreadPool pool(2);
  b.Run(pool);
  const Reference<double> exact(b);
  for (size_t i = 0; i < exact.out.size(); ++i) {
    ASSERT_NEAR(b.out[i / 8 * (8 + kGap) + i % 8], exact.out[i], 1e-3) << i;
  }
  for (size_t i = 0; i < b.d_qkv.size(); ++i) {
    if (!InGap(b, i)) {
      ASSERT_NEAR(b.d_qkv[i], exact.d_qkv[i], 1e-3 * (1 + std::fabs(exact.d_qkv[i]))) << i;
    }
  }
}

}  // namespace
}  // namespace enigma::engine
