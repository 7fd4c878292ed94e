#include <algorithm>
#include <cmath>

#include "engine/kernels/check.h"
#include "engine/kernels/exact_math.h"
#include "engine/kernels/rope.h"

namespace enigma::engine {
namespace {

constexpr double kPi = 0x1.921fb54442d18p+1;

// YaRN blends interpolated and original frequencies between the pairs that turn `fast` and `slow` times over the
// trained context; 32 and 1 are the paper's values for Llama.
constexpr double kYarnFast = 32;
constexpr double kYarnSlow = 1;

// The (fractional) pair that turns `turns` times over the trained context.
double PairOfTurns(const RopeSpec& spec, double turns) {
  return spec.dimensions * ExactLog(spec.original_context / (turns * 2 * kPi)) / (2 * ExactLog(spec.theta));
}

double YarnFrequency(const RopeSpec& spec, double frequency, uint32_t pair) {
  const double low = std::max(0.0, std::floor(PairOfTurns(spec, kYarnFast)));
  const double high = std::min(spec.dimensions - 1.0, std::ceil(PairOfTurns(spec, kYarnSlow)));
  const double ramp = std::clamp((pair - low) / std::max(0.001, high - low), 0.0, 1.0);
  return frequency / spec.factor * ramp + frequency * (1 - ramp);
}

// Llama 3.1: long wavelengths are stretched by the factor, short ones kept, those between blended. The bounds are that
// family's (low_freq_factor 1, high_freq_factor 4). Files usually carry the result as rope_freqs.weight instead.
double Llama3Frequency(const RopeSpec& spec, double frequency) {
  constexpr double kLowFactor = 1;
  constexpr double kHighFactor = 4;
  const double wavelengths = spec.original_context * frequency / (2 * kPi);  // in the trained context
  if (wavelengths > kHighFactor) return frequency;
  if (wavelengths < kLowFactor) return frequency / spec.factor;
  const double blend = (wavelengths - kLowFactor) / (kHighFactor - kLowFactor);
  return (1 - blend) * frequency / spec.factor + blend * frequency;
}

double Frequency(const RopeSpec& spec, uint32_t pair) {
  double frequency = ExactExp(-2.0 * pair / spec.dimensions * ExactLog(spec.theta));
  if (!spec.frequency_factors.empty()) frequency /= spec.frequency_factors[pair];
  switch (spec.scaling) {
    case RopeScaling::kNone:
      return frequency;
    case RopeScaling::kLinear:
      return frequency / spec.factor;
    case RopeScaling::kYarn:
      return YarnFrequency(spec, frequency, pair);
    case RopeScaling::kLlama3:
      return spec.frequency_factors.empty() ? Llama3Frequency(spec, frequency) : frequency;
  }
  return frequency;
}

}  // namespace

RopeTable::RopeTable(const RopeSpec& spec, uint32_t context)
    : pairs_(spec.dimensions / 2), context_(context), table_(size_t{context} * (spec.dimensions / 2) * 2) {
  ENIGMA_KERNEL_CHECK(spec.frequency_factors.empty() || spec.frequency_factors.size() >= pairs_);
  ENIGMA_KERNEL_CHECK(spec.factor > 0 && spec.theta > 0);
  // YaRN also sharpens attention: queries and keys grow by this much each.
  const double magnitude =
      spec.scaling == RopeScaling::kYarn && spec.factor > 1 ? 1 + 0.1 * ExactLog(spec.factor) : 1.0;
  for (uint32_t pair = 0; pair < pairs_; ++pair) {
    const double frequency = Frequency(spec, pair);
    for (uint32_t position = 0; position < context_; ++position) {
      double sine = 0;
      double cosine = 0;
      ExactSinCos(position * frequency, &sine, &cosine);
      float* row = table_.data() + size_t{position} * 2 * pairs_;
      row[pair] = static_cast<float>(cosine * magnitude);
      row[pairs_ + pair] = static_cast<float>(sine * magnitude);
    }
  }
}

}  // namespace enigma::engine
