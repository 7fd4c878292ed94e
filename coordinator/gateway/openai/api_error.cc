#include "coordinator/gateway/openai/api_error.h"

#include <algorithm>
#include <cmath>

#include <absl/strings/ascii.h>
#include <absl/strings/str_cat.h>
#include <nlohmann/json.hpp>

#include "coordinator/scheduling/key_limits.h"

namespace enigma::coordinator {
namespace {

constexpr absl::Duration kTryAgain = absl::Seconds(1);
constexpr absl::Duration kTryWhenLoaded = absl::Seconds(5);

// "max_tokens: 0 is ..." names max_tokens; a sentence with a colon further on names nothing.
std::string FieldOf(std::string_view message) {
  const size_t colon = message.find(": ");
  if (colon == std::string_view::npos || colon == 0) return "";
  const auto fits = [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '.' || c == '[' || c == ']';
  };
  const std::string_view field = message.substr(0, colon);
  return std::all_of(field.begin(), field.end(), fits) ? std::string(field) : "";
}

}  // namespace

ApiError ErrorOf(const absl::Status& status) {
  ApiError error;
  error.message = std::string(status.message());
  const auto request = [&error](unsigned code) {
    error.status = code;
    error.type = "invalid_request_error";
    error.param = FieldOf(error.message);
  };
  const auto busy = [&error](absl::Duration wait) {
    error.status = 503;
    error.type = "service_unavailable_error";
    error.retry_after = wait;
  };
  switch (status.code()) {
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kUnimplemented:
      request(400);
      break;
    case absl::StatusCode::kUnauthenticated:
      request(401);
      error.type = "authentication_error";
      error.code = "invalid_api_key";
      break;
    case absl::StatusCode::kPermissionDenied:
      request(403);
      error.type = "permission_error";
      break;
    case absl::StatusCode::kNotFound:
      request(404);
      error.param = "model";
      error.code = "model_not_found";
      break;
    case absl::StatusCode::kOutOfRange:
      request(413);
      break;
    case absl::StatusCode::kFailedPrecondition:
      busy(kTryWhenLoaded);
      error.code = "model_not_ready";
      break;
    case absl::StatusCode::kResourceExhausted:
      if (const std::optional<absl::Duration> retry_after = RetryAfter(status)) {
        request(429);
        error.type = "rate_limit_error";
        error.code = "rate_limit_exceeded";
        error.retry_after = retry_after;
        break;
      }
      busy(kTryAgain);
      error.code = "overloaded";
      break;
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kAborted:
      busy(kTryAgain);
      break;
    case absl::StatusCode::kDeadlineExceeded:
      error.status = 504;
      error.type = "timeout_error";
      error.code = "deadline_exceeded";
      break;
    case absl::StatusCode::kCancelled:
      request(499);
      break;
    default:
      break;
  }
  return error;
}

std::string ErrorJson(const ApiError& error) {
  const auto or_null = [](const std::string& text) {
    return text.empty() ? nlohmann::ordered_json() : nlohmann::ordered_json(text);
  };
  nlohmann::ordered_json object;
  object["error"] = {
      {"message", error.message}, {"type", error.type}, {"param", or_null(error.param)}, {"code", or_null(error.code)}};
  // What a message quotes may be no UTF-8.
  return object.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

HttpReply ReplyOf(const ApiError& error) {
  HttpReply reply;
  reply.status = error.status;
  reply.body = ErrorJson(error);
  if (error.retry_after) {
    const double seconds = absl::ToDoubleSeconds(*error.retry_after);
    reply.headers.emplace_back("Retry-After", absl::StrCat(static_cast<int64_t>(std::ceil(seconds))));
    reply.headers.emplace_back("retry-after-ms", absl::StrCat(static_cast<int64_t>(seconds * 1000)));
  }
  if (error.status == 401) reply.headers.emplace_back("WWW-Authenticate", "Bearer");
  return reply;
}

}  // namespace enigma::coordinator
