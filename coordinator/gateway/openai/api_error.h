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

// By the table that gRPC shares (gateway/status_contract.h). A message that begins with "field: " names its field.
ApiError ErrorOf(const absl::Status& status);

// The JSON of the error alone, as it also stands in a stream that breaks.
std::string ErrorJson(const ApiError& error);
HttpReply ReplyOf(const ApiError& error);

}  // namespace enigma::coordinator
