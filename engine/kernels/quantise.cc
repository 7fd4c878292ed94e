#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include "engine/kernels/block_formats.h"
#include "engine/kernels/check.h"
#include "engine/kernels/dequantise.h"

namespace enigma::engine {
namespace {

int Nearest(float v, int low, int high) { return std::clamp(static_cast<int>(std::nearbyint(v)), low, high); }
float Inverse(float v) { return v == 0 ? 0 : 1 / v; }

// The element of largest magnitude, with its sign.
float Extreme(const float* x, int n) {
  float extreme = 0;
  for (int i = 0; i < n; ++i) {
    if (std::fabs(x[i]) > std::fabs(extreme)) extreme = x[i];
  }
  return extreme;
}

void PutNibbles(const std::array<int, 32>& q, uint8_t* nibbles, uint8_t* high) {
  uint32_t bits = 0;
  for (int i = 0; i < 16; ++i) nibbles[i] = static_cast<uint8_t>((q[i] & 15) | ((q[i + 16] & 15) << 4));
  for (int i = 0; i < 32; ++i) bits |= static_cast<uint32_t>(q[i] >> 4) << i;
  if (high != nullptr) StoreU32(high, bits);
}

// Q4_0, Q5_0: the extreme element gets the lowest code, -2^(bits-1), exactly.
void Symmetric(const float* x, int bits, uint8_t* d_out, uint8_t* high, uint8_t* nibbles) {
  const int offset = 1 << (bits - 1);
  const uint16_t d = FloatToHalf(Extreme(x, 32) / static_cast<float>(-offset));
  StoreU16(d_out, d);
  const float inverse = Inverse(HalfToFloat(d));
  std::array<int, 32> q{};
  for (int i = 0; i < 32; ++i) q[i] = Nearest(x[i] * inverse, -offset, offset - 1) + offset;
  PutNibbles(q, nibbles, high);
}

// Q4_1, Q5_1: codes span minimum to maximum.
void Affine(const float* x, int bits, uint8_t* dm_out, uint8_t* high, uint8_t* nibbles) {
  const auto [low, top] = std::minmax_element(x, x + 32);
  const int codes = (1 << bits) - 1;
  const uint16_t m = FloatToHalf(*low);
  const uint16_t d = FloatToHalf((*top - *low) / static_cast<float>(codes));
  StoreU16(dm_out, d);
  StoreU16(dm_out + 2, m);
  const float inverse = Inverse(HalfToFloat(d));
  std::array<int, 32> q{};
  for (int i = 0; i < 32; ++i) q[i] = Nearest((x[i] - HalfToFloat(m)) * inverse, 0, codes);
  PutNibbles(q, nibbles, high);
}

void BlockQ8_0(const float* x, uint8_t* out) {
  const uint16_t d = FloatToHalf(std::fabs(Extreme(x, 32)) / 127);
  StoreU16(out, d);
  const float inverse = Inverse(HalfToFloat(d));
  for (int i = 0; i < 32; ++i) out[2 + i] = static_cast<uint8_t>(Nearest(x[i] * inverse, -127, 127));
}

void PutKScales(const std::array<int, 8>& scale, const std::array<int, 8>& minimum, uint8_t* out) {
  for (int j = 0; j < 4; ++j) {
    out[j] = static_cast<uint8_t>(scale[j] | ((scale[j + 4] >> 4) << 6));
    out[j + 4] = static_cast<uint8_t>(minimum[j] | ((minimum[j + 4] >> 4) << 6));
    out[j + 8] = static_cast<uint8_t>((scale[j + 4] & 15) | ((minimum[j + 4] & 15) << 4));
  }
}

// Q4_K, Q5_K: per 32 elements a scale and a minimum (at most 0) in sixty-thirds of the block's largest.
void BlockQ45K(const float* x, int bits, uint8_t* out) {
  const int codes = (1 << bits) - 1;
  std::array<float, 8> scales{};
  std::array<float, 8> minima{};
  for (int s = 0; s < 8; ++s) {
    const auto [low, top] = std::minmax_element(x + s * 32, x + s * 32 + 32);
    minima[s] = -std::min(*low, 0.0F);
    scales[s] = (std::max(*top, 0.0F) + minima[s]) / static_cast<float>(codes);
  }
  const uint16_t d_bits = FloatToHalf(*std::max_element(scales.begin(), scales.end()) / 63);
  const uint16_t m_bits = FloatToHalf(*std::max_element(minima.begin(), minima.end()) / 63);
  const float d = HalfToFloat(d_bits);
  const float dmin = HalfToFloat(m_bits);
  StoreU16(out, d_bits);
  StoreU16(out + 2, m_bits);
  std::array<int, 8> scale{};
  std::array<int, 8> minimum{};
  for (int s = 0; s < 8; ++s) {
    scale[s] = Nearest(scales[s] * Inverse(d), 0, 63);
    minimum[s] = Nearest(minima[s] * Inverse(dmin), 0, 63);
  }
  PutKScales(scale, minimum, out + kQ4KScales);
  uint8_t* high = bits == 5 ? out + kQ5KHigh : nullptr;
  uint8_t* nibbles = out + (bits == 5 ? kQ5KNibbles : kQ4KNibbles);
  std::memset(out + kQ4KNibbles, 0, bits == 5 ? 160 : 128);
  for (int s = 0; s < 8; ++s) {
    const float inverse = Inverse(d * static_cast<float>(scale[s]));
    for (int i = 0; i < 32; ++i) {
      const int q = Nearest((x[s * 32 + i] + dmin * static_cast<float>(minimum[s])) * inverse, 0, codes);
      nibbles[s / 2 * 32 + i] |= static_cast<uint8_t>((q & 15) << (s % 2 * 4));
      if (high != nullptr) high[i] |= static_cast<uint8_t>((q >> 4) << s);
    }
  }
}

// Q6_K: per 16 elements a signed scale in parts of the block's largest; the extreme element gets code -32.
void BlockQ6_K(const float* x, uint8_t* out) {
  std::array<float, 16> scales{};
  for (int s = 0; s < 16; ++s) scales[s] = Extreme(x + s * 16, 16) / -32;
  const uint16_t d_bits = FloatToHalf(Extreme(scales.data(), 16) / -128);
  const float d = HalfToFloat(d_bits);
  std::memset(out, 0, kQ6KD);
  StoreU16(out + kQ6KD, d_bits);
  for (int s = 0; s < 16; ++s) {
    const int scale = Nearest(scales[s] * Inverse(d), -128, 127);
    out[kQ6KScales + s] = static_cast<uint8_t>(scale);
    const float inverse = Inverse(d * static_cast<float>(scale));
    for (int e = s * 16; e < s * 16 + 16; ++e) {
      const int q = Nearest(x[e] * inverse, -32, 31) + 32;
      const int half = e / 128;
      const int quarter = e % 128 / 32;
      const int l = e % 32;
      out[half * 64 + quarter % 2 * 32 + l] |= static_cast<uint8_t>((q & 15) << (quarter / 2 * 4));
      out[kQ6KHigh + half * 32 + l] |= static_cast<uint8_t>((q >> 4) << (quarter * 2));
    }
  }
}

}  // namespace

void Quantise(DType type, const float* source, size_t count, uint8_t* out) {
  const DTypeTraits& traits = Traits(type);
  ENIGMA_KERNEL_CHECK(count % traits.block_elements == 0);
  for (size_t i = 0; i < count;
       i += traits.block_elements, source += traits.block_elements, out += traits.block_bytes) {
    switch (type) {
      case DType::kF32:
        std::memcpy(out, source, sizeof(float));
        break;
      case DType::kF16:
        StoreU16(out, FloatToHalf(*source));
        break;
      case DType::kBF16:
        StoreU16(out, FloatToBrain(*source));
        break;
      case DType::kQ4_0:
        Symmetric(source, 4, out, nullptr, out + 2);
        break;
      case DType::kQ4_1:
        Affine(source, 4, out, nullptr, out + 4);
        break;
      case DType::kQ5_0:
        Symmetric(source, 5, out, out + 2, out + 6);
        break;
      case DType::kQ5_1:
        Affine(source, 5, out, out + 4, out + 8);
        break;
      case DType::kQ8_0:
        BlockQ8_0(source, out);
        break;
      case DType::kQ4_K:
        BlockQ45K(source, 4, out);
        break;
      case DType::kQ5_K:
        BlockQ45K(source, 5, out);
        break;
      case DType::kQ6_K:
        BlockQ6_K(source, out);
        break;
    }
  }
}

}  // namespace enigma::engine
