#include "coordinator/gateway/sampling_check.h"

#include <cmath>

#include <absl/strings/str_cat.h>
#include <absl/strings/str_format.h>

#include "base/status_macros.h"

namespace enigma::coordinator {
namespace {

constexpr uint32_t kTopLogprobsMax = 20;
constexpr int kStopStringsMax = 16;
constexpr size_t kStopBytesMax = 1024;
constexpr int kLogitBiasMax = 4096;

absl::Status CheckRange(const char* name, double value, bool good, const char* range) {
  if (good && std::isfinite(value)) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrFormat("sampling.%s is %g; it must be %s", name, value, range));
}

absl::Status CheckLists(const enigma::v1::SamplingParams& sampling, uint32_t vocab) {
  if (sampling.stop_size() > kStopStringsMax) {
    return absl::InvalidArgumentError(
        absl::StrCat("sampling.stop has ", sampling.stop_size(), " strings; at most ", kStopStringsMax));
  }
  for (const std::string& stop : sampling.stop()) {
    if (stop.empty() || stop.size() > kStopBytesMax) {
      return absl::InvalidArgumentError(
          absl::StrCat("sampling.stop has a string of ", stop.size(), " bytes; each must have 1 to ", kStopBytesMax));
    }
  }
  if (sampling.logit_bias_size() > kLogitBiasMax) {
    return absl::InvalidArgumentError(
        absl::StrCat("sampling.logit_bias has ", sampling.logit_bias_size(), " entries; at most ", kLogitBiasMax));
  }
  for (const auto& bias : sampling.logit_bias()) {
    if (bias.id() < 0 || static_cast<uint32_t>(bias.id()) >= vocab) {
      return absl::InvalidArgumentError(
          absl::StrCat("sampling.logit_bias names token ", bias.id(), "; the vocabulary ends at ", vocab - 1));
    }
    ENIGMA_RETURN_IF_ERROR(CheckRange("logit_bias", bias.value(), std::isfinite(bias.value()), "a finite number"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckSampling(const enigma::v1::SamplingParams& sampling, uint32_t vocab) {
  if (sampling.has_temperature()) {
    ENIGMA_RETURN_IF_ERROR(
        CheckRange("temperature", sampling.temperature(), sampling.temperature() >= 0, "0 (greedy) or more"));
  }
  if (sampling.has_top_p()) {
    ENIGMA_RETURN_IF_ERROR(
        CheckRange("top_p", sampling.top_p(), sampling.top_p() > 0 && sampling.top_p() <= 1, "above 0 and at most 1"));
  }
  if (sampling.has_min_p()) {
    ENIGMA_RETURN_IF_ERROR(
        CheckRange("min_p", sampling.min_p(), sampling.min_p() >= 0 && sampling.min_p() <= 1, "0 to 1"));
  }
  if (sampling.has_repetition_penalty()) {
    ENIGMA_RETURN_IF_ERROR(
        CheckRange("repetition_penalty", sampling.repetition_penalty(), sampling.repetition_penalty() > 0, "above 0"));
  }
  if (sampling.has_frequency_penalty()) {
    ENIGMA_RETURN_IF_ERROR(CheckRange("frequency_penalty", sampling.frequency_penalty(),
                                      std::abs(sampling.frequency_penalty()) <= 2, "-2 to 2"));
  }
  if (sampling.has_presence_penalty()) {
    ENIGMA_RETURN_IF_ERROR(CheckRange("presence_penalty", sampling.presence_penalty(),
                                      std::abs(sampling.presence_penalty()) <= 2, "-2 to 2"));
  }
  if (sampling.has_max_tokens()) {
    ENIGMA_RETURN_IF_ERROR(CheckRange("max_tokens", sampling.max_tokens(), sampling.max_tokens() > 0, "1 or more"));
  }
  if (sampling.has_top_logprobs()) {
    ENIGMA_RETURN_IF_ERROR(
        CheckRange("top_logprobs", sampling.top_logprobs(), sampling.top_logprobs() <= kTopLogprobsMax, "0 to 20"));
  }
  return CheckLists(sampling, vocab);
}

}  // namespace enigma::coordinator
