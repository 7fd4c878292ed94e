#include <cmath>
#include <limits>

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>

#include "engine/sampling/sampler.h"

namespace enigma::engine {
namespace {

struct Range {
  const char* name;
  float value;
  float low;
  float high;
  bool low_included;
};

absl::Status CheckRange(const Range& range) {
  const bool above = range.low_included ? range.value >= range.low : range.value > range.low;
  if (above && range.value <= range.high) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(range.name, " is ", range.value, ", must be in ",
                                                 range.low_included ? "[" : "(", range.low, ", ", range.high, "]"));
}

}  // namespace

absl::Status CheckSamplingParams(const SamplingParams& params, uint32_t vocab) {
  constexpr float kLargest = std::numeric_limits<float>::max();
  const Range ranges[] = {{"temperature", params.temperature, 0, kLargest, true},
                          {"top_p", params.top_p, 0, 1, false},
                          {"min_p", params.min_p, 0, 1, true},
                          {"repetition_penalty", params.repetition_penalty, 0, kLargest, false},
                          {"frequency_penalty", params.frequency_penalty, -2, 2, true},
                          {"presence_penalty", params.presence_penalty, -2, 2, true}};
  for (const Range& range : ranges) {
    if (absl::Status status = CheckRange(range); !status.ok()) return status;
  }
  for (const auto& [id, bias] : params.logit_bias) {
    if (id < 0 || static_cast<uint32_t>(id) >= vocab) {
      return absl::InvalidArgumentError(
          absl::StrCat("logit_bias names token ", id, ", the vocabulary has ", vocab, " tokens"));
    }
    if (absl::Status status = CheckRange({"logit_bias", bias, -100, 100, true}); !status.ok()) return status;
  }
  if (params.max_tokens == 0) return absl::InvalidArgumentError("max_tokens is 0, must be at least 1");
  if (params.top_logprobs > kTopLogprobsMax) {
    return absl::InvalidArgumentError(
        absl::StrCat("top_logprobs is ", params.top_logprobs, ", must be at most ", kTopLogprobsMax));
  }
  if (params.stop.size() > kStopStringsMax) {
    return absl::InvalidArgumentError(
        absl::StrCat("stop has ", params.stop.size(), " strings, must have at most ", kStopStringsMax));
  }
  return absl::OkStatus();
}

}  // namespace enigma::engine
