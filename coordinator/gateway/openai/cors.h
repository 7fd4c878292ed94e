#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/statusor.h>

#include "coordinator/gateway/http/exchange.h"

namespace enigma::coordinator {

// Which pages of other sites may use the API from a browser (https://fetch.spec.whatwg.org/#http-cors-protocol). None
// unless they are listed. Immutable, so thread-safe.
class CorsPolicy {
 public:
  CorsPolicy() = default;  // none
  // Each "https://host[:port]" as browsers write it, "null", or "*" for every site. INVALID_ARGUMENT names one that no
  // browser would send.
  static absl::StatusOr<CorsPolicy> Create(const std::vector<std::string>& origins);

  bool enabled() const { return any_ || !origins_.empty(); }
  bool Allows(std::string_view origin) const;
  // What goes with every answer to a request of that origin; empty where the origin is not allowed.
  HttpHeaders ForAnswer(std::string_view origin) const;
  // The answer to the question that a browser asks before the request itself. 403 where the origin is not allowed.
  HttpReply Preflight(const HttpRequest& request, std::string_view methods) const;

 private:
  bool any_ = false;
  std::set<std::string, std::less<>> origins_;
};

// Whether a browser says that another site's page makes this request: it names an origin, and not this server's own.
bool IsCrossSite(const HttpRequest& request);

}  // namespace enigma::coordinator
