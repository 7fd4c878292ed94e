#pragma once

#include <optional>
#include <span>

#include <absl/status/status.h>
#include <absl/time/time.h>

namespace enigma::coordinator {

// What a status inside means outside, over HTTP and gRPC alike: the one table, which docs/statuses.md shows. gRPC gives
// the code itself, and in the trailing metadata `retry-after-ms` what HTTP says in a header of that name.
struct StatusRule {
  absl::StatusCode code;
  const char* grpc;  // the code's name there
  unsigned http;
  const char* type;                                   // of OpenAI's error object
  const char* error_code = "";                        // likewise; empty: null
  absl::Duration retry_after = absl::ZeroDuration();  // 0: the same again would fail again
  bool of_a_key = false;  // RESOURCE_EXHAUSTED of a key's limits (RetryAfter), which says itself when to come again
};

std::span<const StatusRule> StatusRules();

// The rule of an error; of a code that has none, that of INTERNAL.
const StatusRule& RuleOf(const absl::Status& status);

// When to come again.
std::optional<absl::Duration> WaitAfter(const absl::Status& status);

}  // namespace enigma::coordinator
