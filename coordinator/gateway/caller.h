#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "coordinator/scheduling/key_limits.h"
#include "coordinator/state/api_key.h"
#include "proto/inference.pb.h"

namespace enigma::coordinator {

// Who asks for inference, once Access has let them in. Copies are cheap.
struct Caller {
  std::string who;  // "key 3f21a0b4c5d6", "node n1", "this machine", "anybody"
  ApiKeyPtr key;    // null: came without one, so everything is allowed and nothing limited

  bool MayUse(std::string_view model) const { return key == nullptr || key->MayUse(model); }
};

// PERMISSION_DENIED naming the model, and those that the key may use.
absl::Status CheckModel(const Caller& caller, std::string_view model);

// The class that a request of the caller has: what it asks for, else normal, or lower where the key allows no more.
// PERMISSION_DENIED when it asks for more than that.
absl::StatusOr<enigma::v1::Priority> PriorityFor(const Caller& caller, enigma::v1::Priority asked);
// An answer: as long as it may become, but at most 1,024 tokens.
uint64_t EstimateAnswerTokens(const enigma::v1::SamplingParams& sampling);
// What a request will probably take: its prompt, counted where it came as ids and else taken as four bytes a token,
// and its answers, one for each choice. Cheap: done before anything is tokenised.
uint64_t EstimateTokens(const enigma::v1::GenerateRequest& request, size_t choices = 1);
// Likewise, of a prompt of so many bytes that is still to be made.
uint64_t EstimateTokens(uint64_t prompt_bytes, const enigma::v1::SamplingParams& sampling, size_t choices = 1);
uint64_t EstimateTokens(const enigma::v1::EmbedRequest& request);  // all inputs; there is no answer

// One more request of the caller for the model: allowed to use it, unless it is `routed` (which model answers, and
// whether the key may use that, is known later), and within the key's limits (KeyLimits::Admit). A caller without a key
// always is. The lease is the front's, who ends it before it tells the client the end.
absl::StatusOr<KeyLease> AdmitRequest(KeyLimits& limits, const Caller& caller, std::string_view model,
                                      uint64_t tokens_estimated, bool routed = false);

// Likewise for what is generated or embedded: `requests`, all of one model, count as one, and the priority of each is
// settled.
template <class Request>
absl::StatusOr<KeyLease> AdmitRequests(KeyLimits& limits, const Caller& caller, std::span<Request> requests,
                                       uint64_t tokens_estimated, bool routed = false) {
  for (Request& request : requests) {
    const absl::StatusOr<enigma::v1::Priority> priority = PriorityFor(caller, request.priority());
    if (!priority.ok()) return priority.status();
    request.set_priority(*priority);
  }
  return AdmitRequest(limits, caller, requests.front().model(), tokens_estimated, routed);
}

}  // namespace enigma::coordinator
