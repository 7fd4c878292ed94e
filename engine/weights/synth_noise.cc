#include "engine/weights/synth_noise.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "base/counter_random.h"
#include "engine/kernels/dequantise.h"

namespace enigma::engine {
namespace {

// Pooled rows are laid from runs of this many elements: one block of the K types, eight of the others.
constexpr uint64_t kRun = 256;
constexpr uint64_t kPoolRuns = 4096;
// Stream numbers no tensor has.
constexpr uint32_t kPoolStream = 0xFFFFFFFF, kPlaceStream = 0xFFFFFFFE;

std::array<uint32_t, 2> KeyOf(uint64_t seed) {
  return {static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32)};
}

uint64_t PlaceOf(uint64_t seed, uint32_t tensor, uint64_t row, uint64_t run) {
  const auto bits = Philox({static_cast<uint32_t>(row),
                            static_cast<uint32_t>(row >> 32) ^ static_cast<uint32_t>(run / 8), tensor, kPlaceStream},
                           KeyOf(seed));
  return (bits[run % 8 / 2] >> (run % 2 * 16)) % kPoolRuns;
}

}  // namespace

// A sum of eight uniform 16-bit numbers: near to normal (excess kurtosis -0.15), and computed in integers, so that
// every machine has the same bits, which a logarithm of the C library does not promise.
void FillNoise(uint64_t seed, uint32_t stream, uint64_t first, std::span<float> out) {
  constexpr int kMean = 8 * 65535 / 2;
  constexpr float kScale = kSynthDeviation / (65536.0F * 0.81649658F);  // sqrt(8 / 12)
  const auto key = KeyOf(seed);
  for (float& value : out) {
    const auto bits = Philox({static_cast<uint32_t>(first), static_cast<uint32_t>(first >> 32), stream, 0}, key);
    int sum = 0;
    for (const uint32_t word : bits) sum += static_cast<int>((word & 0xFFFF) + (word >> 16));
    value = static_cast<float>(sum - kMean) * kScale;
    ++first;
  }
}

void NoiseRows::Fill(DType type, uint32_t number, uint64_t row, uint64_t first, uint64_t count,
                     std::span<uint8_t> out) {
  if (pooled_) {
    FillPooled(type, number, row, first, count, out);
  } else {
    FillDrawn(type, number, row, first, count, out);
  }
}

void NoiseRows::FillDrawn(DType type, uint32_t number, uint64_t row, uint64_t first, uint64_t count,
                          std::span<uint8_t> out) {
  drawn_.resize(row * count);
  FillNoise(seed_, number, first * row, drawn_);
  Quantise(type, drawn_.data(), drawn_.size(), out.data());
}

void NoiseRows::FillPooled(DType type, uint32_t number, uint64_t row, uint64_t first, uint64_t count,
                           std::span<uint8_t> out) {
  const std::vector<uint8_t>& pool = Pool(type);
  const uint64_t run_bytes = RowBytes(type, kRun);
  const uint64_t row_bytes = RowBytes(type, row);
  const uint64_t start0 = PlaceOf(seed_, number, UINT64_MAX, 0);
  const uint64_t start1 = PlaceOf(seed_, number, UINT64_MAX, 1);
  uint8_t* to = out.data();
  for (uint64_t r = first; r < first + count; ++r) {
    // The first two runs count through all pairs of places, so that rows differ for certain; the rest are drawn.
    uint64_t left = row_bytes;
    for (uint64_t run = 0; left > 0; ++run) {
      const uint64_t place = run == 0   ? (start0 + r) % kPoolRuns
                             : run == 1 ? (start1 + r / kPoolRuns) % kPoolRuns
                                        : PlaceOf(seed_, number, r, run);
      const uint64_t bytes = std::min(left, run_bytes);
      std::memcpy(to, pool.data() + place * run_bytes, bytes);
      to += bytes;
      left -= bytes;
    }
  }
}

const std::vector<uint8_t>& NoiseRows::Pool(DType type) {
  std::vector<uint8_t>& pool = pools_[type];
  if (pool.empty()) {
    std::vector<float> drawn(kRun * kPoolRuns);
    FillNoise(seed_, kPoolStream, 0, drawn);
    pool.resize(RowBytes(type, drawn.size()));
    Quantise(type, drawn.data(), drawn.size(), pool.data());
  }
  return pool;
}

}  // namespace enigma::engine
