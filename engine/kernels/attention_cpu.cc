#include "engine/kernels/attention_cpu.h"

#include "engine/kernels/cpu_target.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/kernels/attention_cpu.cc"
#include <algorithm>
#include <cstring>
#include <limits>

#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "engine/kernels/simd_inl.h"

#if ENIGMA_KERNEL_TARGET
HWY_BEFORE_NAMESPACE();
namespace enigma::engine::HWY_NAMESPACE {

constexpr size_t kTokens = kKvBlockTokens;
constexpr int kTokenVectors = static_cast<int>(kTokens / kFloatLanes);
// Query rows whose scores are in registers at once: enough independent sums to hide the latency of additions.
constexpr int kScoreRows = kTokenVectors >= 4 ? 3 : 6;
constexpr int kValueRows = 4;
constexpr int kValueVectors = 2;

// Tokens [begin, end) of a block that a row sees.
struct Span {
  uint32_t begin;
  uint32_t end;
  bool operator==(const Span&) const = default;
};

struct Row {
  const float* q;
  float largest;  // of the scores so far
  float total;    // of e^(score - largest)
  float decay;    // by which this block shrinks what was summed before
};

HWY_INLINE VF LoadStored(const float* p) { return hn::LoadU(DF(), p); }
HWY_INLINE VF LoadStored(const hwy::float16_t* p) {
  const hn::Rebind<hwy::float16_t, DF> dh;
  return hn::PromoteTo(DF(), hn::LoadU(dh, p));
}
HWY_INLINE VF LoadStored(const hwy::bfloat16_t* p) {
  const hn::Rebind<uint16_t, DF> dh;
  const hn::RebindToUnsigned<DF> du;
  return hn::BitCast(DF(), hn::ShiftLeft<16>(hn::PromoteTo(du, hn::LoadU(dh, reinterpret_cast<const uint16_t*>(p)))));
}
HWY_INLINE VF LoadStored(const int8_t* p) {
  const hn::Rebind<int8_t, DF> d8;
  const hn::RebindToSigned<DF> di;
  return hn::ConvertTo(DF(), hn::PromoteTo(di, hn::LoadU(d8, p)));
}

HWY_INLINE float OneStored(const float* p) { return *p; }
HWY_INLINE float OneStored(const hwy::float16_t* p) {
  const hn::CappedTag<hwy::float16_t, 1> dh;
  const hn::CappedTag<float, 1> d;
  return hn::GetLane(hn::PromoteTo(d, hn::LoadU(dh, p)));
}
HWY_INLINE float OneStored(const hwy::bfloat16_t* p) {
  uint16_t half;
  std::memcpy(&half, p, sizeof(half));
  const uint32_t bits = static_cast<uint32_t>(half) << 16;
  float value;
  std::memcpy(&value, &bits, sizeof(value));
  return value;
}
HWY_INLINE float OneStored(const int8_t* p) { return static_cast<float>(*p); }

// Keys as stored, [head_dim][32], to f32; `scales` (per token) where they are int8.
template <typename E>
HWY_INLINE void UnpackKeys(const E* from, const float* scales, size_t head_dim, float* HWY_RESTRICT keys) {
  const DF d;
  for (size_t i = 0; i < head_dim; ++i) {
    for (size_t t = 0; t < kTokens; t += kFloatLanes) {
      VF v = LoadStored(from + i * kTokens + t);
      if (scales != nullptr) v = hn::Mul(v, hn::LoadU(d, scales + t));
      hn::StoreU(v, d, keys + i * kTokens + t);
    }
  }
}

// Values [begin, end) as stored, [32][head_dim], to f32 rows of `padded`.
template <typename E>
HWY_INLINE void UnpackValues(const E* from, const float* scales, Span span, size_t head_dim, size_t padded,
                             float* HWY_RESTRICT values) {
  const DF d;
  for (size_t t = span.begin; t < span.end; ++t) {
    const float scale = scales != nullptr ? scales[t] : 1.0F;
    size_t i = 0;
    for (; i + kFloatLanes <= head_dim; i += kFloatLanes) {
      hn::StoreU(hn::Mul(LoadStored(from + t * head_dim + i), hn::Set(d, scale)), d, values + t * padded + i);
    }
    for (; i < head_dim; ++i) values[t * padded + i] = OneStored(from + t * head_dim + i) * scale;
    for (; i < padded; ++i) values[t * padded + i] = 0;
  }
}

// scores[T][32] of T rows: over head_dim in order, lanes over tokens; then times `scale`.
template <int T>
HWY_NOINLINE void Scores(const Row* rows, const float* HWY_RESTRICT keys, size_t head_dim, float scale,
                         float* HWY_RESTRICT scores) {
  const DF d;
  VF sums[T][kTokenVectors];
  for (int r = 0; r < T; ++r) {
    for (int v = 0; v < kTokenVectors; ++v) sums[r][v] = hn::Zero(d);
  }
  for (size_t i = 0; i < head_dim; ++i) {
    VF q[T];
    for (int r = 0; r < T; ++r) q[r] = hn::Set(d, rows[r].q[i]);
    for (int v = 0; v < kTokenVectors; ++v) {
      const VF k = hn::LoadU(d, keys + i * kTokens + v * kFloatLanes);
      for (int r = 0; r < T; ++r) sums[r][v] = hn::MulAdd(q[r], k, sums[r][v]);
    }
  }
  for (int r = 0; r < T; ++r) {
    for (int v = 0; v < kTokenVectors; ++v) {
      hn::StoreU(hn::Mul(sums[r][v], hn::Set(d, scale)), d, scores + r * kTokens + v * kFloatLanes);
    }
  }
}

// Scores to weights e^(score - largest), zero outside the span; updates the row's running maximum and total.
HWY_INLINE void Softmax(Span span, float* HWY_RESTRICT scores, Row& row) {
  const DF d;
  const VF least = hn::Set(d, -std::numeric_limits<float>::infinity());
  const VF begin = hn::Set(d, static_cast<float>(span.begin));
  const VF end = hn::Set(d, static_cast<float>(span.end));
  VF largest = hn::Set(d, row.largest);
  for (size_t t = 0; t < kTokens; t += kFloatLanes) {
    const VF token = hn::Iota(d, static_cast<float>(t));
    const auto seen = hn::And(hn::Ge(token, begin), hn::Lt(token, end));
    const VF s = hn::IfThenElse(seen, hn::LoadU(d, scores + t), least);
    hn::StoreU(s, d, scores + t);
    largest = hn::Max(largest, s);
  }
  const VF top = hn::MaxOfLanes(d, largest);
  row.decay = hn::GetLane(Exp(hn::Sub(hn::Set(d, row.largest), top)));
  row.largest = hn::GetLane(top);
  for (size_t t = 0; t < kTokens; t += kFloatLanes) {
    hn::StoreU(Exp(hn::Sub(hn::LoadU(d, scores + t), top)), d, scores + t);
  }
  HWY_ALIGN float halves[16];
  for (size_t t = 0; t < 16; t += kFloatLanes) {
    hn::Store(hn::Add(hn::LoadU(d, scores + t), hn::LoadU(d, scores + 16 + t)), d, halves + t);
  }
  row.total = row.total * row.decay + SumOf16(halves);
}

// sums[R][padded] = sums * decay, then plus weight times value, token by token in order.
template <int R>
HWY_NOINLINE void AddValues(const Row* rows, const float* HWY_RESTRICT weights, Span span,
                            const float* HWY_RESTRICT values, size_t padded, float* HWY_RESTRICT sums_at) {
  const DF d;
  constexpr size_t kStep = kFloatLanes * kValueVectors;
  size_t i = 0;
  for (; i + kStep <= padded; i += kStep) {
    VF sums[R][kValueVectors];
    for (int r = 0; r < R; ++r) {
      for (int v = 0; v < kValueVectors; ++v) {
        sums[r][v] = hn::Mul(hn::LoadU(d, sums_at + r * padded + i + v * kFloatLanes), hn::Set(d, rows[r].decay));
      }
    }
    for (size_t t = span.begin; t < span.end; ++t) {
      VF x[kValueVectors];
      for (int v = 0; v < kValueVectors; ++v) x[v] = hn::LoadU(d, values + t * padded + i + v * kFloatLanes);
      for (int r = 0; r < R; ++r) {
        const VF w = hn::Set(d, weights[r * kTokens + t]);
        for (int v = 0; v < kValueVectors; ++v) sums[r][v] = hn::MulAdd(w, x[v], sums[r][v]);
      }
    }
    for (int r = 0; r < R; ++r) {
      for (int v = 0; v < kValueVectors; ++v) hn::StoreU(sums[r][v], d, sums_at + r * padded + i + v * kFloatLanes);
    }
  }
  for (; i < padded; i += kFloatLanes) {
    for (int r = 0; r < R; ++r) {
      VF sum = hn::Mul(hn::LoadU(d, sums_at + r * padded + i), hn::Set(d, rows[r].decay));
      for (size_t t = span.begin; t < span.end; ++t) {
        sum = hn::MulAdd(hn::Set(d, weights[r * kTokens + t]), hn::LoadU(d, values + t * padded + i), sum);
      }
      hn::StoreU(sum, d, sums_at + r * padded + i);
    }
  }
}

// The queries of a task against one block after the other.
template <typename E>
class Attender {
 public:
  Attender(const KvLayerView& kv, const AttentionTask& task, float* scratch)
      : kv_(kv), task_(task), layout_(HeadLayout(kv.type, kv.head_dim)), padded_((kv.head_dim + 15) / 16 * 16) {
    keys_ = scratch;
    values_ = keys_ + kTokens * padded_;
    sums_ = values_ + kTokens * padded_;
    weights_ = sums_ + kAttentionRows * padded_;
    count_ = task.count * task.group;
    for (uint32_t r = 0; r < count_; ++r) {
      rows_[r] = {task.q + r / task.group * task.q_stride + r % task.group * kv.head_dim,
                  -std::numeric_limits<float>::infinity(), 0, 0};
    }
    std::memset(sums_, 0, count_ * padded_ * sizeof(float));
  }

  HWY_INLINE void Run() {
    const uint32_t last = task_.position + task_.count - 1;
    const uint32_t oldest = Oldest(task_.position);
    for (uint32_t block = oldest / kTokens; block <= last / kTokens; ++block) AttendBlock(block);
    const DF d;
    for (uint32_t r = 0; r < count_; ++r) {
      float* sums = sums_ + r * padded_;
      for (size_t i = 0; i < padded_; i += kFloatLanes) {
        hn::StoreU(hn::Div(hn::LoadU(d, sums + i), hn::Set(d, rows_[r].total)), d, sums + i);
      }
      std::memcpy(task_.out + r / task_.group * task_.out_stride + r % task_.group * kv_.head_dim, sums,
                  kv_.head_dim * sizeof(float));
    }
  }

 private:
  uint32_t Oldest(uint32_t position) const {
    return task_.window == 0 || position < task_.window ? 0 : position - task_.window + 1;
  }

  // What row r sees of the block whose first position is `base`.
  Span Seen(uint32_t r, uint32_t base) const {
    const uint32_t position = task_.position + r / task_.group;
    const uint32_t oldest = Oldest(position);
    const uint32_t begin = oldest > base ? std::min<uint32_t>(oldest - base, kTokens) : 0;
    const uint32_t end = position >= base ? std::min<uint32_t>(position - base + 1, kTokens) : 0;
    return {begin, std::max(begin, end)};
  }

  // Rows from r on that see the same tokens of the block, at most `limit`.
  uint32_t Alike(uint32_t r, uint32_t base, uint32_t limit) const {
    const Span span = Seen(r, base);
    uint32_t n = 1;
    while (n < limit && r + n < count_ && Seen(r + n, base) == span) ++n;
    return n;
  }

  HWY_INLINE void AttendBlock(uint32_t block) {
    const uint32_t base = block * kTokens;
    const uint8_t* head = kv_.base + task_.blocks[block] * kv_.block_bytes + task_.kv_head * layout_.bytes;
    const Span stored = {Seen(0, base).begin, Seen(count_ - 1, base).end};
    const float* keys = keys_;
    const float* values = values_;
    const auto* key_scales = reinterpret_cast<const float*>(head + layout_.key_scales);
    const auto* value_scales = reinterpret_cast<const float*>(head + layout_.value_scales);
    const bool scaled = kv_.type == KvType::kQ8;
    const auto* stored_keys = reinterpret_cast<const E*>(head + layout_.keys);
    const auto* stored_values = reinterpret_cast<const E*>(head + layout_.values);
    if constexpr (sizeof(E) == sizeof(float)) {
      keys = stored_keys;
    } else {
      UnpackKeys(stored_keys, scaled ? key_scales : nullptr, kv_.head_dim, keys_);
    }
    if (sizeof(E) == sizeof(float) && padded_ == kv_.head_dim) {
      values = reinterpret_cast<const float*>(stored_values);
    } else {
      UnpackValues(stored_values, scaled ? value_scales : nullptr, stored, kv_.head_dim, padded_, values_);
    }
    for (uint32_t r = 0; r < count_;) {
      if (Seen(r, base).begin == Seen(r, base).end) {
        ++r;
        continue;
      }
      r += ScoreRows(r, keys);
    }
    for (uint32_t r = 0; r < count_;) {
      const Span span = Seen(r, base);
      if (span.begin == span.end) {
        ++r;
        continue;
      }
      const uint32_t n = Alike(r, base, kValueRows);
      for (uint32_t i = r; i < r + n; ++i) Softmax(span, weights_ + i * kTokens, rows_[i]);
      AddRows(r, n, span, values);
      r += n;
    }
  }

  HWY_INLINE uint32_t ScoreRows(uint32_t r, const float* keys) {
    const uint32_t left = count_ - r;
    float* scores = weights_ + r * kTokens;
    if (left >= kScoreRows) return Scores<kScoreRows>(rows_ + r, keys, kv_.head_dim, task_.scale, scores), kScoreRows;
    if (left >= 2) return Scores<2>(rows_ + r, keys, kv_.head_dim, task_.scale, scores), 2;
    return Scores<1>(rows_ + r, keys, kv_.head_dim, task_.scale, scores), 1;
  }

  HWY_INLINE void AddRows(uint32_t r, uint32_t n, Span span, const float* values) {
    float* sums = sums_ + r * padded_;
    const float* weights = weights_ + r * kTokens;
    switch (n) {
      case 4:
        return AddValues<4>(rows_ + r, weights, span, values, padded_, sums);
      case 3:
        return AddValues<3>(rows_ + r, weights, span, values, padded_, sums);
      case 2:
        return AddValues<2>(rows_ + r, weights, span, values, padded_, sums);
      default:
        return AddValues<1>(rows_ + r, weights, span, values, padded_, sums);
    }
  }

  const KvLayerView& kv_;
  const AttentionTask& task_;
  const KvHeadLayout layout_;
  const size_t padded_;
  uint32_t count_;
  float* keys_;
  float* values_;
  float* sums_;
  float* weights_;
  Row rows_[kAttentionRows];
};

void Attend(const KvLayerView& kv, const AttentionTask& task, float* scratch) {
  switch (kv.type) {
    case KvType::kF32:
      return Attender<float>(kv, task, scratch).Run();
    case KvType::kF16:
      return Attender<hwy::float16_t>(kv, task, scratch).Run();
    case KvType::kBF16:
      return Attender<hwy::bfloat16_t>(kv, task, scratch).Run();
    case KvType::kQ8:
      return Attender<int8_t>(kv, task, scratch).Run();
  }
}

inline constexpr AttentionKernels kAttentionKernels = {Attend};

}  // namespace enigma::engine::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif  // ENIGMA_KERNEL_TARGET

#if HWY_ONCE
namespace enigma::engine {
ENIGMA_EXPORT_KERNELS(AttentionKernels, CpuAttentionKernels, kAttentionKernels)
}  // namespace enigma::engine
#endif
