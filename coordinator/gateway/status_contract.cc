#include "coordinator/gateway/status_contract.h"

#include <algorithm>
#include <array>
#include <iterator>

#include "coordinator/scheduling/key_limits.h"

namespace enigma::coordinator {
namespace {

using Code = absl::StatusCode;

constexpr char kInvalid[] = "invalid_request_error";
constexpr char kUnavailable[] = "service_unavailable_error";
constexpr absl::Duration kSoon = absl::Seconds(1);
constexpr absl::Duration kWhenLoaded = absl::Seconds(5);

constexpr std::array kRules = {
    StatusRule{Code::kInvalidArgument, "INVALID_ARGUMENT", 400, kInvalid},
    StatusRule{Code::kUnimplemented, "UNIMPLEMENTED", 400, kInvalid},
    StatusRule{Code::kUnauthenticated, "UNAUTHENTICATED", 401, "authentication_error", "invalid_api_key"},
    StatusRule{Code::kPermissionDenied, "PERMISSION_DENIED", 403, "permission_error"},
    StatusRule{Code::kNotFound, "NOT_FOUND", 404, kInvalid, "model_not_found"},
    StatusRule{Code::kOutOfRange, "OUT_OF_RANGE", 413, kInvalid},
    StatusRule{Code::kResourceExhausted, "RESOURCE_EXHAUSTED", 429, "rate_limit_error", "rate_limit_exceeded", kSoon,
               true},
    StatusRule{Code::kResourceExhausted, "RESOURCE_EXHAUSTED", 503, kUnavailable, "overloaded", kSoon},
    StatusRule{Code::kFailedPrecondition, "FAILED_PRECONDITION", 503, kUnavailable, "model_not_ready", kWhenLoaded},
    StatusRule{Code::kUnavailable, "UNAVAILABLE", 503, kUnavailable, "", kSoon},
    StatusRule{Code::kAborted, "ABORTED", 503, kUnavailable, "", kSoon},
    StatusRule{Code::kDeadlineExceeded, "DEADLINE_EXCEEDED", 504, "timeout_error", "deadline_exceeded"},
    StatusRule{Code::kCancelled, "CANCELLED", 499, kInvalid},
    StatusRule{Code::kInternal, "INTERNAL", 500, "server_error"},
};

}  // namespace

std::span<const StatusRule> StatusRules() { return kRules; }

const StatusRule& RuleOf(const absl::Status& status) {
  const bool of_a_key = RetryAfter(status).has_value();
  const auto rule = std::find_if(kRules.begin(), kRules.end(), [&](const StatusRule& one) {
    return one.code == status.code() && one.of_a_key == of_a_key;
  });
  return rule == kRules.end() ? kRules.back() : *rule;
}

std::optional<absl::Duration> WaitAfter(const absl::Status& status) {
  if (const std::optional<absl::Duration> of_a_key = RetryAfter(status)) return of_a_key;
  const absl::Duration wait = RuleOf(status).retry_after;
  if (wait == absl::ZeroDuration()) return std::nullopt;
  return wait;
}

}  // namespace enigma::coordinator
