#include "engine/kernels/causal_attention_cpu.h"

#include "engine/kernels/cpu_target.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/kernels/causal_attention_cpu.cc"
#include <algorithm>
#include <cstring>
#include <limits>

#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "engine/kernels/simd_inl.h"

#if ENIGMA_KERNEL_TARGET
HWY_BEFORE_NAMESPACE();
namespace enigma::engine::HWY_NAMESPACE {

constexpr size_t kBlock = kAttentionBlock;
// Sums in registers at a time: sixteen of the 32 vectors that AVX-512 and NEON have, eight of AVX2's sixteen.
constexpr bool kWide = kFloatLanes == 16;
constexpr size_t kBlockVectors = kBlock / kFloatLanes;
constexpr size_t kScoreRows = kWide ? 16 : 4;
constexpr size_t kSumRows = kWide ? 8 : 4;
// Vectors of eight floats at most, of which every head_dim has a whole number.
constexpr size_t kPieceLanes = std::min<size_t>(8, kFloatLanes);

// c[r][..] (+)= sum over k of a[k * kTermStep + r * kRowStep] * b[k][..] for kRows rows and kVectors vectors. Terms
// come in `groups` of `terms`, whose a are `distance` apart; the first group leaves out `skip`.
struct Terms {
  const float* a;
  size_t groups;
  size_t distance;
  size_t terms;
  size_t skip;
  const float* b;
  size_t b_pitch;
};
template <size_t kRows, size_t kVectors, size_t kRowStep, size_t kTermStep>
HWY_INLINE void Tile(const Terms& in, float* HWY_RESTRICT c, size_t c_pitch, bool fresh) {
  const DF d;
  VF sums[kRows][kVectors];
  for (size_t r = 0; r < kRows; ++r) {
    for (size_t v = 0; v < kVectors; ++v) {
      sums[r][v] = fresh ? hn::Zero(d) : hn::Load(d, c + r * c_pitch + v * kFloatLanes);
    }
  }
  const float* HWY_RESTRICT b = in.b;
  size_t first = in.skip;
  for (size_t g = 0; g < in.groups; ++g, first = 0) {
    const float* HWY_RESTRICT a = in.a + g * in.distance + first * kTermStep;
    for (size_t k = first; k < in.terms; ++k, a += kTermStep, b += in.b_pitch) {
      VF row[kVectors];
      for (size_t v = 0; v < kVectors; ++v) row[v] = hn::Load(d, b + v * kFloatLanes);
      for (size_t r = 0; r < kRows; ++r) {
        const VF factor = hn::Set(d, a[r * kRowStep]);
        for (size_t v = 0; v < kVectors; ++v) sums[r][v] = hn::MulAdd(factor, row[v], sums[r][v]);
      }
    }
  }
  for (size_t r = 0; r < kRows; ++r) {
    for (size_t v = 0; v < kVectors; ++v) hn::Store(sums[r][v], d, c + r * c_pitch + v * kFloatLanes);
  }
}

// Eight rows of c over their whole width.
template <size_t kRowStep, size_t kTermStep>
HWY_INLINE void TileRows(Terms in, float* HWY_RESTRICT c, size_t pitch, bool fresh) {
  for (size_t row = 0; row < kAttentionTile; row += kSumRows) {
    Terms terms = in;
    terms.a += row * kRowStep;
    float* to = c + row * pitch;
    size_t i = 0;
    for (; kWide && i + 2 * kBlock <= pitch; i += 2 * kBlock) {
      Tile<kSumRows, 2 * kBlockVectors, kRowStep, kTermStep>(terms, to + i, pitch, fresh);
      terms.b += 2 * kBlock;
    }
    for (; i < pitch; i += kBlock) {
      Tile<kSumRows, kBlockVectors, kRowStep, kTermStep>(terms, to + i, pitch, fresh);
      terms.b += kBlock;
    }
  }
}

void SumKeys(const float* weights, size_t keys, const float* rows, size_t pitch, float* sums, bool fresh) {
  const Terms terms = {weights, 1, 0, keys, 0, rows, pitch};
  if (fresh) {
    TileRows<1, kBlock>(terms, sums, pitch, true);
  } else {
    TileRows<1, kBlock>(terms, sums, pitch, false);
  }
}

void SumQueries(const float* weights, size_t blocks, size_t distance, size_t skip, const float* rows, size_t pitch,
                float* sums) {
  TileRows<kBlock, 1>({weights, blocks, distance, kBlock, skip, rows + skip * pitch, pitch}, sums, pitch, false);
}

void Scores(const float* keys, size_t blocks, const float* queries, size_t head_dim, float* scores) {
  for (size_t b = 0; b < blocks; ++b, keys += kBlock * head_dim, scores += kAttentionBlockScores) {
    for (size_t row = 0; row < kBlock; row += kScoreRows) {
      Tile<kScoreRows, kBlockVectors, 1, kBlock>({keys + row, 1, 0, head_dim, 0, queries, kBlock},
                                                 scores + row * kBlock, kBlock, true);
    }
  }
}

// Four rows of four: to[c][r] = from[r][c] * factor.
HWY_INLINE void Transpose4(const float* const (&from)[4], hn::Vec<hn::FixedTag<float, 4>> factor, float* to) {
  const hn::FixedTag<float, 4> d;
  const hn::FixedTag<double, 2> pairs;
  const auto a = hn::Mul(hn::LoadU(d, from[0]), factor);
  const auto b = hn::Mul(hn::LoadU(d, from[1]), factor);
  const auto c = hn::Mul(hn::LoadU(d, from[2]), factor);
  const auto e = hn::Mul(hn::LoadU(d, from[3]), factor);
  const auto ab_lower = hn::BitCast(pairs, hn::InterleaveLower(d, a, b));
  const auto ab_upper = hn::BitCast(pairs, hn::InterleaveUpper(d, a, b));
  const auto ce_lower = hn::BitCast(pairs, hn::InterleaveLower(d, c, e));
  const auto ce_upper = hn::BitCast(pairs, hn::InterleaveUpper(d, c, e));
  hn::Store(hn::BitCast(d, hn::InterleaveLower(pairs, ab_lower, ce_lower)), d, to);
  hn::Store(hn::BitCast(d, hn::InterleaveUpper(pairs, ab_lower, ce_lower)), d, to + kBlock);
  hn::Store(hn::BitCast(d, hn::InterleaveLower(pairs, ab_upper, ce_upper)), d, to + 2 * kBlock);
  hn::Store(hn::BitCast(d, hn::InterleaveUpper(pairs, ab_upper, ce_upper)), d, to + 3 * kBlock);
}

void Pack(const float* x, size_t stride, size_t rows, size_t head_dim, float factor, float* blocks) {
  const auto factors = hn::Set(hn::FixedTag<float, 4>(), factor);
  for (size_t row = 0; row < rows; row += kBlock, blocks += kBlock * head_dim) {
    const size_t here = std::min(kBlock, rows - row);
    if (here < kBlock) std::fill_n(blocks, kBlock * head_dim, 0.0F);
    size_t r = 0;
    for (; r + 4 <= here; r += 4) {
      const float* first = x + (row + r) * stride;
      for (size_t i = 0; i < head_dim; i += 4) {
        const float* const from[4] = {first + i, first + stride + i, first + 2 * stride + i, first + 3 * stride + i};
        Transpose4(from, factors, blocks + i * kBlock + r);
      }
    }
    for (; r < here; ++r) {
      for (size_t i = 0; i < head_dim; ++i) blocks[i * kBlock + r] = x[(row + r) * stride + i] * factor;
    }
  }
}

void Copy(const float* x, size_t stride, size_t rows, size_t head_dim, float* rows_out) {
  constexpr size_t kPiece = 8;  // head_dim is a multiple of it
  const size_t pitch = AttentionPitch(head_dim);
  for (size_t r = 0; r < rows; ++r, x += stride, rows_out += pitch) {
    for (size_t i = 0; i < head_dim; i += kPiece) std::memcpy(rows_out + i, x + i, kPiece * sizeof(float));
    if (head_dim < pitch) std::memset(rows_out + head_dim, 0, kPiece * sizeof(float));
  }
  std::fill_n(rows_out, (AttentionBlocks(rows) * kBlock - rows) * pitch, 0.0F);
}

void Store(const float* rows_in, const float* factors, size_t rows, size_t head_dim, float* out, size_t stride) {
  const hn::CappedTag<float, 8> d;
  const size_t pitch = AttentionPitch(head_dim);
  for (size_t r = 0; r < rows; ++r, rows_in += pitch, out += stride) {
    const auto factor = hn::Set(d, factors == nullptr ? 1.0F : factors[r]);
    for (size_t i = 0; i < head_dim; i += kPieceLanes)
      hn::StoreU(hn::Mul(hn::Load(d, rows_in + i), factor), d, out + i);
  }
}

void Dots(const float* a, size_t a_stride, const float* b, size_t b_stride, size_t rows, size_t head_dim, float* dots) {
  const hn::CappedTag<float, 8> d;
  for (size_t r = 0; r < rows; ++r, a += a_stride, b += b_stride) {
    hn::Vec<decltype(d)> sums[kBlock / kPieceLanes];
    for (auto& sum : sums) sum = hn::Zero(d);
    for (size_t i = 0; i < head_dim; i += kPieceLanes) {
      auto& sum = sums[i / kPieceLanes % (kBlock / kPieceLanes)];
      sum = hn::MulAdd(hn::LoadU(d, a + i), hn::LoadU(d, b + i), sum);
    }
    HWY_ALIGN float buffer[kBlock];
    for (size_t v = 0; v < kBlock / kPieceLanes; ++v) hn::Store(sums[v], d, buffer + v * kPieceLanes);
    dots[r] = SumOf16(buffer);
  }
}

// Whether every query sees every key of a block that lies `distance` positions before.
HWY_INLINE bool SeesAll(size_t distance, uint32_t window) {
  return distance >= kBlock && (window == 0 || window >= distance + kBlock);
}
// Which queries, from `lane` on, see key `key` of such a block.
HWY_INLINE auto Seen(size_t key, size_t distance, uint32_t window, size_t lane) {
  const DF d;
  const VF query = hn::Iota(d, static_cast<float>(lane));
  const size_t end = window == 0 ? distance + kBlock : key + window;
  // Both are taken relative to the block's queries and cut to it, so that they are small whole numbers.
  const size_t from = key > distance ? key - distance : 0;
  const size_t below = end > distance ? std::min(end - distance, kBlock) : 0;
  return hn::And(hn::Ge(query, hn::Set(d, static_cast<float>(from))),
                 hn::Lt(query, hn::Set(d, static_cast<float>(below))));
}

// Exp of x <= 0, bit for bit, in fewer steps: a sum with 1.5 * 2^23 is rounded to a whole number, held in its low bits.
HWY_INLINE VF ExpUpToZero(VF x) {
  const DF d;
  const hn::RebindToSigned<DF> di;
  const VF lowest = hn::Set(d, -87.33F);
  const VF whole = hn::Set(d, 0x1.8p23F);
  const auto vanishes = hn::Lt(x, lowest);
  const VF v = hn::Max(x, lowest);
  const VF shifted = hn::Add(hn::Mul(v, hn::Set(d, 0x1.715476p+0F)), whole);
  const VF n = hn::Sub(shifted, whole);
  VF r = hn::NegMulAdd(n, hn::Set(d, 0x1.63p-1F), v);
  r = hn::NegMulAdd(n, hn::Set(d, -0x1.bd0106p-13F), r);
  VF q = hn::Set(d, 0x1.6d119ap-10F);
  q = hn::MulAdd(q, r, hn::Set(d, 0x1.120cp-7F));
  q = hn::MulAdd(q, r, hn::Set(d, 0x1.555518p-5F));
  q = hn::MulAdd(q, r, hn::Set(d, 0x1.5554dcp-3F));
  q = hn::MulAdd(q, r, hn::Set(d, 0.5F));
  const VF e = hn::Add(hn::MulAdd(q, hn::Mul(r, r), r), hn::Set(d, 1.0F));
  const auto bits = hn::Add(hn::BitCast(di, e), hn::ShiftLeft<23>(hn::BitCast(di, shifted)));
  return hn::IfThenZeroElse(vanishes, hn::BitCast(d, bits));
}

void Softmax(float* scores, const AttentionPlace& place, float* largest, float* sums) {
  const DF d;
  const VF hidden = hn::Set(d, -std::numeric_limits<float>::infinity());
  for (size_t b = 0; b < place.blocks; ++b) {
    const size_t distance = place.distance - b * kBlock;
    if (SeesAll(distance, place.window)) continue;
    for (size_t key = 0; key < kBlock; ++key) {
      float* row = scores + b * kAttentionBlockScores + key * kBlock;
      for (size_t lane = 0; lane < kBlock; lane += kFloatLanes) {
        const auto seen = Seen(key, distance, place.window, lane);
        hn::Store(hn::IfThenElse(seen, hn::Load(d, row + lane), hidden), d, row + lane);
      }
    }
  }
  const size_t end = place.blocks * kAttentionBlockScores;
  constexpr size_t kParts = 4;
  for (size_t lane = 0; lane < kBlock; lane += kFloatLanes) {
    float* column = scores + lane;
    VF tops[kParts];
    for (VF& top : tops) top = hidden;
    for (size_t at = 0; at < end; at += kParts * kBlock) {
      for (size_t p = 0; p < kParts; ++p) tops[p] = hn::Max(tops[p], hn::Load(d, column + at + p * kBlock));
    }
    // Adding 0 makes one zero of the two, between which maxima of targets differ.
    const VF top = hn::Add(hn::Max(hn::Max(tops[0], tops[1]), hn::Max(tops[2], tops[3])), hn::Zero(d));
    VF parts[kParts];
    for (VF& part : parts) part = hn::Zero(d);
    for (size_t at = 0; at < end; at += kParts * kBlock) {
      for (size_t p = 0; p < kParts; ++p) {
        const VF e = ExpUpToZero(hn::Sub(hn::Load(d, column + at + p * kBlock), top));
        hn::Store(e, d, column + at + p * kBlock);
        parts[p] = hn::Add(parts[p], e);
      }
    }
    hn::Store(top, d, largest + lane);
    hn::Store(hn::Add(hn::Add(parts[0], parts[2]), hn::Add(parts[1], parts[3])), d, sums + lane);
  }
}

void Gradients(float* scores, float* d_scores, const AttentionPlace& place, const AttentionQueryStats& stats,
               float scale) {
  const DF d;
  const VF scales = hn::Set(d, scale);
  for (size_t lane = 0; lane < kBlock; lane += kFloatLanes) {
    const VF largest = hn::Load(d, stats.largest + lane);
    const VF inverse = hn::Load(d, stats.inverse + lane);
    const VF dots = hn::Load(d, stats.dots + lane);
    for (size_t b = 0; b < place.blocks; ++b) {
      const size_t distance = place.distance - b * kBlock;
      const bool sees_all = SeesAll(distance, place.window);
      float* p_at = scores + b * kAttentionBlockScores + lane;
      float* d_at = d_scores + b * kAttentionBlockScores + lane;
      for (size_t key = 0; key < kBlock; ++key, p_at += kBlock, d_at += kBlock) {
        // Unseen scores may be above the largest one seen; what is made of them is dropped.
        VF p = hn::Mul(ExpUpToZero(hn::Sub(hn::Load(d, p_at), largest)), inverse);
        if (!sees_all) p = hn::IfThenElseZero(Seen(key, distance, place.window, lane), p);
        hn::Store(p, d, p_at);
        hn::Store(hn::Mul(hn::Mul(p, hn::Sub(hn::Load(d, d_at), dots)), scales), d, d_at);
      }
    }
  }
}

inline constexpr CausalAttentionKernels kCausalAttentionKernels = {Pack,    Copy,      Store,   Dots,      Scores,
                                                                   Softmax, Gradients, SumKeys, SumQueries};

}  // namespace enigma::engine::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif  // ENIGMA_KERNEL_TARGET

#if HWY_ONCE
namespace enigma::engine {
ENIGMA_EXPORT_KERNELS(CausalAttentionKernels, CpuCausalAttentionKernels, kCausalAttentionKernels)
}  // namespace enigma::engine
#endif
