#include "engine/kernels/dequantise.h"

#include <cstring>

#include "engine/kernels/block_formats.h"
#include "engine/kernels/check.h"

namespace enigma::engine {
namespace {

void Nibbles32(const uint8_t* q, uint32_t high, int offset, float d, float m, float* out) {
  for (int i = 0; i < 16; ++i) {
    const int low = (q[i] & 15) | static_cast<int>(((high >> i) & 1U) << 4);
    const int top = (q[i] >> 4) | static_cast<int>(((high >> (i + 16)) & 1U) << 4);
    out[i] = static_cast<float>(low - offset) * d + m;
    out[i + 16] = static_cast<float>(top - offset) * d + m;
  }
}

void BlockQ4_0(const uint8_t* b, float* out) { Nibbles32(b + 2, 0, 8, LoadHalf(b), 0, out); }
void BlockQ4_1(const uint8_t* b, float* out) { Nibbles32(b + 4, 0, 0, LoadHalf(b), LoadHalf(b + 2), out); }
void BlockQ5_0(const uint8_t* b, float* out) { Nibbles32(b + 6, LoadU32(b + 2), 16, LoadHalf(b), 0, out); }
void BlockQ5_1(const uint8_t* b, float* out) { Nibbles32(b + 8, LoadU32(b + 4), 0, LoadHalf(b), LoadHalf(b + 2), out); }

void BlockQ8_0(const uint8_t* b, float* out) {
  const float d = LoadHalf(b);
  for (int i = 0; i < 32; ++i) out[i] = static_cast<float>(static_cast<int8_t>(b[2 + i])) * d;
}

// Sub-blocks come in pairs: 32 bytes hold the nibbles of the even one (low) and the odd one (high).
void BlockQ45K(const uint8_t* b, const uint8_t* high, const uint8_t* nibbles, float* out) {
  const float d = LoadHalf(b);
  const float dmin = LoadHalf(b + 2);
  for (int s = 0; s < 8; ++s) {
    uint8_t scale = 0;
    uint8_t minimum = 0;
    KScale(b + kQ4KScales, s, &scale, &minimum);
    const float sd = d * static_cast<float>(scale);
    const float sm = dmin * static_cast<float>(minimum);
    for (int i = 0; i < 32; ++i) {
      int q = (nibbles[s / 2 * 32 + i] >> (s % 2 * 4)) & 15;
      if (high != nullptr) q |= ((high[i] >> s) & 1) << 4;
      out[s * 32 + i] = sd * static_cast<float>(q) - sm;
    }
  }
}

void BlockQ4_K(const uint8_t* b, float* out) { BlockQ45K(b, nullptr, b + kQ4KNibbles, out); }
void BlockQ5_K(const uint8_t* b, float* out) { BlockQ45K(b, b + kQ5KHigh, b + kQ5KNibbles, out); }

void BlockQ6_K(const uint8_t* b, float* out) {
  const float d = LoadHalf(b + kQ6KD);
  for (int e = 0; e < 256; ++e) {
    const int half = e / 128;
    const int quarter = e % 128 / 32;
    const int l = e % 32;
    const int low = (b[half * 64 + quarter % 2 * 32 + l] >> (quarter / 2 * 4)) & 15;
    const int top = (b[kQ6KHigh + half * 32 + l] >> (quarter * 2)) & 3;
    const auto scale = static_cast<int8_t>(b[kQ6KScales + e / 16]);
    out[e] = d * static_cast<float>(scale) * static_cast<float>((low | (top << 4)) - 32);
  }
}

}  // namespace

void Dequantise(DType type, const uint8_t* source, size_t count, float* out) {
  const DTypeTraits& traits = Traits(type);
  ENIGMA_KERNEL_CHECK(count % traits.block_elements == 0);
  for (size_t i = 0; i < count;
       i += traits.block_elements, source += traits.block_bytes, out += traits.block_elements) {
    switch (type) {
      case DType::kF32:
        std::memcpy(out, source, sizeof(float));
        break;
      case DType::kF16:
        *out = LoadHalf(source);
        break;
      case DType::kBF16:
        *out = BrainToFloat(LoadU16(source));
        break;
      case DType::kQ4_0:
        BlockQ4_0(source, out);
        break;
      case DType::kQ4_1:
        BlockQ4_1(source, out);
        break;
      case DType::kQ5_0:
        BlockQ5_0(source, out);
        break;
      case DType::kQ5_1:
        BlockQ5_1(source, out);
        break;
      case DType::kQ8_0:
        BlockQ8_0(source, out);
        break;
      case DType::kQ4_K:
        BlockQ4_K(source, out);
        break;
      case DType::kQ5_K:
        BlockQ5_K(source, out);
        break;
      case DType::kQ6_K:
        BlockQ6_K(source, out);
        break;
    }
  }
}

}  // namespace enigma::engine
