#include "coordinator/gateway/openai/cors.h"

#include <algorithm>

#include <absl/strings/ascii.h>
#include <absl/strings/match.h>
#include <absl/strings/str_cat.h>

#include "base/text.h"
#include "coordinator/gateway/openai/api_error.h"

namespace enigma::coordinator {
namespace {

// What a page may read of an answer's headers, beside the few that it always may.
constexpr char kExposed[] =
    "Retry-After, retry-after-ms, x-enigma-model, x-enigma-node, x-enigma-intent, x-enigma-confidence, "
    "x-enigma-route-method";
constexpr char kMaxAgeSeconds[] = "600";
constexpr size_t kHeaderNamesBytesMax = 1024;

// "scheme://host" or "scheme://host:port" in lower case, with nothing behind it.
bool IsOrigin(std::string_view text) {
  const size_t at = text.find("://");
  if (at == std::string_view::npos || at == 0) return false;
  const std::string_view host = text.substr(at + 3);
  const auto fits = [](char c) {
    return absl::ascii_islower(static_cast<unsigned char>(c)) || absl::ascii_isdigit(static_cast<unsigned char>(c)) ||
           c == '.' || c == '-' || c == '_' || c == ':' || c == '[' || c == ']' || c == '+';
  };
  return !host.empty() && std::all_of(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(at), fits) &&
         std::all_of(host.begin(), host.end(), fits);
}

// Names of headers as a browser lists them; anything else is not given back.
bool IsListOfNames(std::string_view text) {
  const auto fits = [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_' || c == ',' || c == ' ';
  };
  return text.size() <= kHeaderNamesBytesMax && std::all_of(text.begin(), text.end(), fits);
}

}  // namespace

absl::StatusOr<CorsPolicy> CorsPolicy::Create(const std::vector<std::string>& origins) {
  CorsPolicy policy;
  for (const std::string& origin : origins) {
    if (origin == "*") {
      policy.any_ = true;
    } else if (origin == "null" || IsOrigin(origin)) {
      policy.origins_.insert(origin);
    } else {
      return absl::InvalidArgumentError(
          absl::StrCat("\"", origin,
                       "\" is no origin as browsers send it: scheme://host or scheme://host:port in lower "
                       "case, without a path or a slash at the end; or * for every site"));
    }
  }
  return policy;
}

bool CorsPolicy::Allows(std::string_view origin) const {
  return !origin.empty() && (any_ || origins_.find(origin) != origins_.end());
}

HttpHeaders CorsPolicy::ForAnswer(std::string_view origin) const {
  if (!enabled()) return {};
  HttpHeaders headers;
  // What is kept of an answer is good for one origin only, also where this one gets none of the rest.
  if (!any_) headers.emplace_back("Vary", "Origin");
  if (!Allows(origin)) return headers;
  headers.emplace_back("Access-Control-Allow-Origin", any_ ? "*" : std::string(origin));
  headers.emplace_back("Access-Control-Expose-Headers", kExposed);
  // Cookies and the like of a proxy in between: never for whoever comes.
  if (!any_) headers.emplace_back("Access-Control-Allow-Credentials", "true");
  return headers;
}

HttpReply CorsPolicy::Preflight(const HttpRequest& request, std::string_view methods) const {
  if (!Allows(request.Header("origin"))) {
    return ReplyOf(ErrorOf(absl::PermissionDeniedError(
        "pages of this origin may not use the API; the coordinator's --cors-origin lists those that may")));
  }
  HttpReply reply;
  reply.status = 204;
  reply.content_type = "";
  reply.headers.emplace_back("Access-Control-Allow-Methods", std::string(methods));
  reply.headers.emplace_back("Access-Control-Max-Age", kMaxAgeSeconds);
  // By name, since * does not cover Authorization.
  const std::string_view names = request.Header("access-control-request-headers");
  if (!names.empty() && IsListOfNames(names)) {
    reply.headers.emplace_back("Access-Control-Allow-Headers", std::string(names));
  }
  return reply;
}

bool IsCrossSite(const HttpRequest& request) {
  const std::string_view origin = request.Header("origin");
  if (origin.empty()) return false;
  const size_t at = origin.find("://");
  return at == std::string_view::npos ||
         !absl::EqualsIgnoreCase(ToAbsl(origin.substr(at + 3)), ToAbsl(request.Header("host")));
}

}  // namespace enigma::coordinator
