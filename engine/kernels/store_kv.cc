#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "engine/kernels/attention.h"
#include "engine/kernels/attention_cpu.h"
#include "engine/kernels/check.h"
#include "engine/kernels/dequantise.h"

namespace enigma::engine {
namespace {

// Below this many floats the calling thread stores alone.
constexpr size_t kSerialFloats = 8192;

// To nearest even for magnitudes below 2^22: adding 1.5 * 2^23 leaves no room for a fraction.
int8_t NearestInt8(float v) {
  const float shifted = v + 0x1.8p+23F;
  return static_cast<int8_t>(std::bit_cast<uint32_t>(shifted) & 0xFFU);
}

// int8 values and a scale for one token's key or value: scale = amax / 127, q = x * (127 / amax) to nearest even.
float QuantiseRow(const float* x, uint32_t n, int8_t* out, size_t step) {
  float amax = 0;
  for (uint32_t i = 0; i < n; ++i) amax = std::max(amax, std::fabs(x[i]));
  const bool zero = amax < 1e-30F;
  const float inverse = zero ? 0.0F : 127.0F / amax;
  for (uint32_t i = 0; i < n; ++i) out[i * step] = NearestInt8(x[i] * inverse);
  return zero ? 0.0F : amax / 127.0F;
}

template <typename T, T (*kConvert)(float)>
void StoreToken(const float* k, const float* v, uint32_t head_dim, uint32_t slot, uint8_t* head,
                const KvHeadLayout& layout) {
  T* keys = reinterpret_cast<T*>(head + layout.keys) + slot;
  T* values = reinterpret_cast<T*>(head + layout.values) + slot * head_dim;
  for (uint32_t i = 0; i < head_dim; ++i) keys[i * kKvBlockTokens] = kConvert(k[i]);
  for (uint32_t i = 0; i < head_dim; ++i) values[i] = kConvert(v[i]);
}

float Same(float v) { return v; }

void StoreQ8Token(const float* k, const float* v, uint32_t head_dim, uint32_t slot, uint8_t* head,
                  const KvHeadLayout& layout) {
  auto* keys = reinterpret_cast<int8_t*>(head + layout.keys) + slot;
  auto* values = reinterpret_cast<int8_t*>(head + layout.values) + slot * head_dim;
  reinterpret_cast<float*>(head + layout.key_scales)[slot] = QuantiseRow(k, head_dim, keys, kKvBlockTokens);
  reinterpret_cast<float*>(head + layout.value_scales)[slot] = QuantiseRow(v, head_dim, values, 1);
}

}  // namespace

void StoreKv(const KvLayerView& kv, const std::vector<AttentionRun>& runs, const float* k, const float* v,
             size_t stride, ThreadPool& pool) {
  ENIGMA_KERNEL_CHECK(kv.base != nullptr && kv.block_bytes >= KvBlockBytes(kv.type, kv.kv_heads, kv.head_dim));
  const KvHeadLayout layout = HeadLayout(kv.type, kv.head_dim);
  const uint32_t width = kv.kv_heads * kv.head_dim;
  size_t tokens = 0;
  for (const AttentionRun& run : runs) tokens += run.count;
  const auto store_head = [&](const AttentionRun& run, size_t h) {
    for (uint32_t i = 0; i < run.count; ++i) {
      const uint32_t position = run.first + i;
      uint8_t* head = kv.base + run.blocks[position / kKvBlockTokens] * kv.block_bytes + h * layout.bytes;
      const uint32_t slot = position % kKvBlockTokens;
      const float* key = k + (run.row + i) * stride + h * kv.head_dim;
      const float* value = v + (run.row + i) * stride + h * kv.head_dim;
      switch (kv.type) {
        case KvType::kF32:
          StoreToken<float, Same>(key, value, kv.head_dim, slot, head, layout);
          break;
        case KvType::kF16:
          StoreToken<uint16_t, FloatToHalf>(key, value, kv.head_dim, slot, head, layout);
          break;
        case KvType::kBF16:
          StoreToken<uint16_t, FloatToBrain>(key, value, kv.head_dim, slot, head, layout);
          break;
        case KvType::kQ8:
          StoreQ8Token(key, value, kv.head_dim, slot, head, layout);
          break;
      }
    }
  };
  // Split by head: tokens of a block share cache lines.
  const size_t count = runs.size() * kv.kv_heads;
  const size_t grain = tokens * width <= kSerialFloats ? count : 1;
  pool.ParallelFor(count, grain, [&](size_t begin, size_t end, int) {
    for (size_t i = begin; i < end; ++i) store_head(runs[i / kv.kv_heads], i % kv.kv_heads);
  });
}

}  // namespace enigma::engine
