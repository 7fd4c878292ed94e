#include "coordinator/gateway/caller.h"

#include <algorithm>

#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>

#include "base/status_macros.h"
#include "base/text.h"
#include "coordinator/state/priority.h"
#include "engine/spec/sampling_params.h"

namespace enigma::coordinator {
namespace {

constexpr uint64_t kBytesPerToken = 4;
// An answer whose length the client left open would otherwise hold a key's whole minute; what is longer is settled.
constexpr uint32_t kAnswerTokensMax = 1024;

}  // namespace

absl::Status CheckModel(const Caller& caller, std::string_view model) {
  if (caller.MayUse(model)) return absl::OkStatus();
  return absl::PermissionDeniedError(absl::StrCat("model: the API key '", caller.key->name, "' may not use '",
                                                  ToAbsl(model), "', only ", absl::StrJoin(caller.key->models, ", ")));
}

absl::StatusOr<enigma::v1::Priority> PriorityFor(const Caller& caller, enigma::v1::Priority asked) {
  if (!enigma::v1::Priority_IsValid(asked)) return absl::InvalidArgumentError("priority: there is no such class");
  const bool limited = caller.key != nullptr && caller.key->quota.priority_max != enigma::v1::PRIORITY_UNSPECIFIED;
  const enigma::v1::Priority most = limited ? caller.key->quota.priority_max : enigma::v1::PRIORITY_HIGH;
  if (asked == enigma::v1::PRIORITY_UNSPECIFIED) return std::min(most, enigma::v1::PRIORITY_NORMAL);
  if (asked <= most) return asked;
  return absl::PermissionDeniedError(absl::StrCat("priority: the API key '", caller.key->name, "' may ask for '",
                                                  ToAbsl(PriorityName(most)), "' at most"));
}

uint64_t EstimateAnswerTokens(const enigma::v1::SamplingParams& sampling) {
  const uint32_t asked = sampling.has_max_tokens() ? sampling.max_tokens() : engine::SamplingParams{}.max_tokens;
  return std::min(asked, kAnswerTokensMax);
}

uint64_t EstimateTokens(const enigma::v1::GenerateRequest& request, size_t choices) {
  if (request.has_prompt_ids()) {
    return static_cast<uint64_t>(request.prompt_ids().ids_size()) + choices * EstimateAnswerTokens(request.sampling());
  }
  uint64_t bytes = request.prompt().size();
  for (const enigma::v1::ChatMessage& message : request.chat().messages()) bytes += message.content().size();
  return EstimateTokens(bytes, request.sampling(), choices);
}

uint64_t EstimateTokens(uint64_t prompt_bytes, const enigma::v1::SamplingParams& sampling, size_t choices) {
  return 1 + prompt_bytes / kBytesPerToken + choices * EstimateAnswerTokens(sampling);
}

uint64_t EstimateTokens(const enigma::v1::EmbedRequest& request) {
  uint64_t tokens = 0;
  for (const enigma::v1::EmbedInput& input : request.input()) {
    tokens +=
        input.has_ids() ? static_cast<uint64_t>(input.ids().ids_size()) : 1 + input.text().size() / kBytesPerToken;
  }
  return tokens;
}

absl::StatusOr<KeyLease> AdmitRequest(KeyLimits& limits, const Caller& caller, std::string_view model,
                                      uint64_t tokens_estimated, bool routed) {
  if (caller.key == nullptr) return KeyLease();
  if (!routed) ENIGMA_RETURN_IF_ERROR(CheckModel(caller, model));
  return limits.Admit(*caller.key, tokens_estimated);
}

}  // namespace enigma::coordinator
