#include "engine/kernels/cpu_target.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/kernels/matmul_quantised_cpu.cc"
#include <algorithm>
#include <cstring>

#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "engine/kernels/matmul_cpu.h"
#include "engine/kernels/packed_source_inl.h"

#if ENIGMA_KERNEL_TARGET
ENIGMA_DOT_BEFORE_NAMESPACE();
namespace enigma::engine::HWY_NAMESPACE {

constexpr size_t kBlocks = ActivationChunk::kBlocks;
// Up to this many tokens the codes are decoded in registers; beyond, once into a tile that all tokens share.
constexpr size_t kDirectTokens = 16;
// Tokens that share a tile; their activations stay in the second-level cache while panels pass.
constexpr size_t kTileTokens = 128;

// What a block adds to the sums of vectors [first, first + H) of rows: sum += (scale_w * scale_a) * dot, fused; then,
// for affine types, sum += m * (scale_a * sum_a), fused.
template <int H, int T, class Source>
HWY_INLINE void AddRows(const Source& source, const ActivationChunk* HWY_RESTRICT a, size_t block, int first,
                        VF (*HWY_RESTRICT sums)[T]) {
  const DF d;
  VF dots[H][T];
  BlockDot<H, T>(source, a, block, first, dots);
  for (int h = 0; h < H; ++h) {
    const VF scale = source.Scale(first + h);
    for (int t = 0; t < T; ++t) {
      VF& sum = sums[first + h][t];
      sum = hn::MulAdd(hn::Mul(scale, hn::Set(d, a[t].scale[block])), dots[h][t], sum);
    }
    if constexpr (Source::kAffine) {
      const VF minimum = source.Minimum(first + h);
      for (int t = 0; t < T; ++t) {
        VF& sum = sums[first + h][t];
        sum = hn::MulAdd(minimum, hn::Set(d, a[t].scaled_sum[block]), sum);
      }
    }
  }
}

// All rows of a block. Few tokens take vectors of rows one after the other, which spares registers; more take them
// together, which spares loads of activations.
template <int T, class Source>
HWY_INLINE void AddBlock(const Source& source, const ActivationChunk* HWY_RESTRICT a, size_t block,
                         VF (*HWY_RESTRICT sums)[T]) {
  if constexpr (T <= 2) {
    for (int h = 0; h < kHalves; ++h) AddRows<1, T>(source, a, block, h, sums);
  } else {
    AddRows<kHalves, T>(source, a, block, 0, sums);
  }
}

// Asks for what lies ahead of `block`, into the second-level cache: the first-level one has too few fills under way for
// memory's distance, and takes what the second holds in time. Types with high bits spend longer on a block's bytes.
// (Both distances are the best measured, benchmarks/README.md.) The panel's end is no end: the stream's next panel
// follows.
template <DType kType>
HWY_INLINE void PrefetchAhead(const uint8_t* panel, size_t block) {
  constexpr PanelLayout kLayout = LayoutOf(kType);
  constexpr size_t kBlockBytes = kLayout.bytes / kLayout.blocks;
  constexpr size_t kAhead = kLayout.blocks == 8 && kLayout.high != 0 ? 3072 : 1024;
  const uint8_t* p = panel + block * kBlockBytes + kAhead;
  for (size_t i = 0; i < kBlockBytes; i += 64) __builtin_prefetch(p + i, /*rw=*/0, /*locality=*/2);
}

// Streams of panels read side by side, each from one end of a long stretch to the other: memory gives more to several
// streams than to one, and a stream that goes on is fetched ahead where one that begins is not.
constexpr size_t kStreams = 4;

// One panel of each of `streams` streams, at most kStreams, `stream_bytes` apart, with tokens [token, token + T), codes
// decoded in registers; out[streams][T][16].
template <DType kType, int T>
HWY_NOINLINE void DirectPanels(const uint8_t* panel, size_t stream_bytes, size_t streams, const ActivationRows& x,
                               size_t token, float* HWY_RESTRICT out) {
  const DF d;
  VF sums[kStreams][kHalves][T];
  for (size_t p = 0; p < streams; ++p) {
    for (int h = 0; h < kHalves; ++h) {
      for (int t = 0; t < T; ++t) sums[p][h][t] = hn::Zero(d);
    }
  }
  const size_t blocks = x.cols() / 32;
  for (size_t first = 0; first < blocks; first += kBlocks) {
    const ActivationChunk* a = x.chunk(first / kBlocks) + token;
    const size_t count = std::min(kBlocks, blocks - first);
    for (size_t b = 0; b < count; ++b) {
#pragma GCC unroll 1
      for (size_t p = 0; p < streams; ++p) {
        const uint8_t* at = panel + p * stream_bytes;
        PrefetchAhead<kType>(at, first + b);
        AddBlock<T>(PackedSource<kType>(at, first + b), a, b, sums[p]);
      }
    }
  }
  for (size_t p = 0; p < streams; ++p) {
    for (int h = 0; h < kHalves; ++h) {
      for (size_t t = 0; t < T; ++t) hn::Store(sums[p][h][t], d, out + (p * T + t) * 16 + h * kFloatLanes);
    }
  }
}

// A stretch of one panel with codes a byte each and scales as floats.
struct Tile {
  alignas(64) uint8_t codes[kBlocks][512];
  float scale[kBlocks][16];
  float minimum[kBlocks][16];
  // Q6_K only:
  int32_t scale_pair[kBlocks][2][16];
  int32_t both_scales[kBlocks][16];
  float sub_scale[kBlocks][2][16];
};

template <DType kType>
class TileSource {
 public:
  static constexpr int kBits = BitsOf(kType);
  static constexpr int kOffset = OffsetOf(kType);
  static constexpr bool kAffine = IsAffine(kType);

  TileSource(const Tile& tile, size_t block) : tile_(tile), block_(block) {}
  static constexpr int GroupAt(int step) { return step; }
  template <int J>
  HWY_INLINE VB Codes(int h) const {
    return hn::Load(DB(), tile_.codes[block_] + J * 64 + static_cast<size_t>(h) * kFloatLanes * 4);
  }
  HWY_INLINE VF Scale(int h) const { return hn::Load(DF(), tile_.scale[block_] + h * kFloatLanes); }
  HWY_INLINE VF Minimum(int h) const { return hn::Load(DF(), tile_.minimum[block_] + h * kFloatLanes); }
  HWY_INLINE VF SubScale(int half, int h) const {
    return hn::Load(DF(), tile_.sub_scale[block_][half] + h * kFloatLanes);
  }
  HWY_INLINE VI ScalePair(int half, int h) const {
    return hn::Load(DI(), tile_.scale_pair[block_][half] + h * kFloatLanes);
  }
  HWY_INLINE VI BothScales(int h) const { return hn::Load(DI(), tile_.both_scales[block_] + h * kFloatLanes); }

 private:
  const Tile& tile_;
  size_t block_;
};

template <DType kType, int... J>
HWY_INLINE void FillCodes(const PackedSource<kType>& source, uint8_t* codes, std::integer_sequence<int, J...>) {
  for (int h = 0; h < kHalves; ++h) {
    (hn::Store(source.template Codes<J>(h), DB(), codes + J * 64 + static_cast<size_t>(h) * kFloatLanes * 4), ...);
  }
}

template <DType kType>
HWY_NOINLINE void FillTile(const uint8_t* panel, size_t first, size_t count, Tile& tile) {
  const DF d;
  const DI di;
  for (size_t b = 0; b < count; ++b) {
    const PackedSource<kType> source(panel, first + b);
    FillCodes<kType>(source, tile.codes[b], std::make_integer_sequence<int, 8>());
    for (int h = 0; h < kHalves; ++h) {
      const size_t row = static_cast<size_t>(h) * kFloatLanes;
      hn::Store(source.Scale(h), d, tile.scale[b] + row);
      if constexpr (IsAffine(kType)) hn::Store(source.Minimum(h), d, tile.minimum[b] + row);
      if constexpr (kType == DType::kQ6_K) {
        hn::Store(source.BothScales(h), di, tile.both_scales[b] + row);
        for (int half = 0; half < 2; ++half) {
          hn::Store(source.ScalePair(half, h), di, tile.scale_pair[b][half] + row);
          hn::Store(source.SubScale(half, h), d, tile.sub_scale[b][half] + row);
        }
      }
    }
  }
}

// Adds a tile's share to the sums of tokens [0, T) of `a`, sums[T][16].
template <DType kType, int T>
HWY_NOINLINE void MultiplyTile(const Tile& tile, size_t count, const ActivationChunk* a, float* HWY_RESTRICT sums_at) {
  const DF d;
  VF sums[kHalves][T];
  for (int h = 0; h < kHalves; ++h) {
    for (int t = 0; t < T; ++t) sums[h][t] = hn::Load(d, sums_at + t * 16 + h * kFloatLanes);
  }
  for (size_t b = 0; b < count; ++b) AddBlock<T>(TileSource<kType>(tile, b), a, b, sums);
  for (int h = 0; h < kHalves; ++h) {
    for (int t = 0; t < T; ++t) hn::Store(sums[h][t], d, sums_at + t * 16 + h * kFloatLanes);
  }
}

// Writes sums[tokens][16] to the panel's columns of y.
HWY_INLINE void StorePanel(const float* sums, size_t tokens, size_t rows, float* y, size_t stride) {
  for (size_t t = 0; t < tokens; ++t) std::memcpy(y + t * stride, sums + t * 16, rows * sizeof(float));
}

// Panels p, p + length, and so on, `streams` of them.
template <DType kType, int T>
HWY_INLINE void MultiplyDirect(const PackedMatrix& w, const ActivationRows& x, size_t p, size_t length, size_t streams,
                               size_t token, float* y, size_t stride) {
  HWY_ALIGN float sums[kStreams * T * 16];
  DirectPanels<kType, T>(w.panel(p), static_cast<size_t>(w.panel(length) - w.panel(0)), streams, x, token, sums);
  for (size_t i = 0; i < streams; ++i, p += length) {
    StorePanel(sums + i * T * 16, T, std::min<size_t>(16, w.rows() - p * 16), y + token * stride + p * 16, stride);
  }
}

template <DType kType>
void MultiplyFew(const PackedMatrix& w, const ActivationRows& x, size_t begin, size_t end, float* y, size_t stride) {
  const size_t length = (end - begin + kStreams - 1) / kStreams;
  for (size_t i = 0; i < length; ++i) {
    const size_t p = begin + i;
    const size_t streams = (end - p + length - 1) / length;  // the last one may be shorter
    size_t t = 0;
    for (; t + 4 <= x.tokens(); t += 4) MultiplyDirect<kType, 4>(w, x, p, length, streams, t, y, stride);
    switch (x.tokens() - t) {
      case 3:
        MultiplyDirect<kType, 3>(w, x, p, length, streams, t, y, stride);
        break;
      case 2:
        MultiplyDirect<kType, 2>(w, x, p, length, streams, t, y, stride);
        break;
      case 1:
        MultiplyDirect<kType, 1>(w, x, p, length, streams, t, y, stride);
        break;
      default:
        break;
    }
  }
}

template <DType kType>
void MultiplyTiled(const PackedMatrix& w, const ActivationRows& x, size_t begin, size_t end, float* y, size_t stride) {
  Tile tile;
  HWY_ALIGN float sums[kTileTokens * 16];
  const size_t blocks = x.cols() / 32;
  for (size_t token = 0; token < x.tokens(); token += kTileTokens) {
    const size_t tokens = std::min(kTileTokens, x.tokens() - token);
    for (size_t p = begin; p < end; ++p) {
      std::memset(sums, 0, tokens * 16 * sizeof(float));
      for (size_t first = 0; first < blocks; first += kBlocks) {
        const size_t count = std::min(kBlocks, blocks - first);
        FillTile<kType>(w.panel(p), first, count, tile);
        const ActivationChunk* a = x.chunk(first / kBlocks) + token;
        size_t t = 0;
        for (; t + 4 <= tokens; t += 4) MultiplyTile<kType, 4>(tile, count, a + t, sums + t * 16);
        if (tokens - t >= 2) {
          MultiplyTile<kType, 2>(tile, count, a + t, sums + t * 16);
          t += 2;
        }
        if (tokens > t) MultiplyTile<kType, 1>(tile, count, a + t, sums + t * 16);
      }
      StorePanel(sums, tokens, std::min<size_t>(16, w.rows() - p * 16), y + token * stride + p * 16, stride);
    }
  }
}

template <DType kType>
void Multiply(const PackedMatrix& w, const ActivationRows& x, size_t begin, size_t end, float* y, size_t stride) {
  if (x.tokens() <= kDirectTokens) {
    MultiplyFew<kType>(w, x, begin, end, y, stride);
  } else {
    MultiplyTiled<kType>(w, x, begin, end, y, stride);
  }
}

// scale = amax / 127, q = x * (127 / amax) to nearest even. A block whose largest magnitude is below 1e-30 is taken for
// zeros: its inverse could overflow.
void QuantiseChunk(const float* x, size_t count, ActivationChunk* out) {
  const DF d;
  const DI di;
  const hn::Rebind<int8_t, DF> d8;
  for (size_t b = 0; b < count / 32; ++b, x += 32) {
    VF largest = hn::Zero(d);
    for (size_t i = 0; i < 32; i += kFloatLanes) largest = hn::Max(largest, hn::Abs(hn::LoadU(d, x + i)));
    const float amax = hn::GetLane(hn::MaxOfLanes(d, largest));
    const bool zero = amax < 1e-30F;
    const float scale = zero ? 0.0F : amax / 127.0F;
    const VF inverse = hn::Set(d, zero ? 0.0F : 127.0F / amax);
    int32_t halves[2];
    for (size_t half = 0; half < 2; ++half) {
      VI sum = hn::Zero(di);
      for (size_t i = 0; i < 16; i += kFloatLanes) {
        const VI q = hn::NearestInt(hn::Mul(hn::LoadU(d, x + half * 16 + i), inverse));
        sum = hn::Add(sum, q);
        hn::StoreU(hn::DemoteTo(d8, q), d8, out->q + b * 32 + half * 16 + i);
      }
      halves[half] = hn::GetLane(hn::SumOfLanes(di, sum));
      out->half_sum[2 * b + half] = static_cast<int16_t>(halves[half]);
    }
    out->scale[b] = scale;
    out->sum[b] = halves[0] + halves[1];
    out->scaled_sum[b] = scale * static_cast<float>(out->sum[b]);
  }
}

inline constexpr QuantisedMatMulKernels kQuantisedMatMulKernels = {
    QuantiseChunk,          Multiply<DType::kQ4_0>, Multiply<DType::kQ4_1>,
    Multiply<DType::kQ5_0>, Multiply<DType::kQ5_1>, Multiply<DType::kQ8_0>,
    Multiply<DType::kQ4_K>, Multiply<DType::kQ5_K>, Multiply<DType::kQ6_K>};

}  // namespace enigma::engine::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif  // ENIGMA_KERNEL_TARGET

#if HWY_ONCE
namespace enigma::engine {
ENIGMA_EXPORT_KERNELS(QuantisedMatMulKernels, CpuQuantisedMatMulKernels, kQuantisedMatMulKernels)
}  // namespace enigma::engine
#endif
