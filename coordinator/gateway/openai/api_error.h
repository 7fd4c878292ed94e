#pragma once

#include <optional>
#include <string>

#include <absl/status/status.h>
#include <absl/time/time.h>

#include "coordinator/gateway/http/exchange.h"

namespace enigma::coordinator {

// An error as the HTTP API gives it: {"error": {"message", "type", "param", "code"}} with a status that means the same.
struct ApiError {
  unsigned status = 500;
  std::string message;
  std::string type = "server_error";
  std::string param;  // the field that is wrong; empty: null
  std::string code;   // empty: null
  std::optional<absl::Duration> retry_after;
};

// The one table between statuses inside and outside. A message that begins with "field: " names its field.
//   INVALID_ARGUMENT 400, UNAUTHENTICATED 401, PERMISSION_DENIED 403, NOT_FOUND 404, OUT_OF_RANGE 413,
//   RESOURCE_EXHAUSTED, UNAVAILABLE, FAILED_PRECONDITION, ABORTED 503 with a time to wait, DEADLINE_EXCEEDED 504,
//   UNIMPLEMENTED 400, CANCELLED 499, everything else 500; RESOURCE_EXHAUSTED of a key's limits (RetryAfter) 429
ApiError ErrorOf(const absl::Status& status);

// The JSON of the error alone, as it also stands in a stream that breaks.
std::string ErrorJson(const ApiError& error);
HttpReply ReplyOf(const ApiError& error);

}  // namespace enigma::coordinator
