#include "coordinator/gateway/openai/api_error.h"

#include <algorithm>
#include <cmath>

#include <absl/strings/ascii.h>
#include <absl/strings/str_cat.h>
#include <nlohmann/json.hpp>

#include "coordinator/gateway/status_contract.h"

namespace enigma::coordinator {
namespace {

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
  const StatusRule& rule = RuleOf(status);
  ApiError error;
  error.status = rule.http;
  error.message = std::string(status.message());
  error.type = rule.type;
  error.code = rule.error_code;
  error.retry_after = WaitAfter(status);
  // A fault of the request may name the field; what is not found is the model.
  if (rule.http < 500 && rule.http != 499) error.param = FieldOf(error.message);
  if (rule.code == absl::StatusCode::kNotFound) error.param = "model";
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
