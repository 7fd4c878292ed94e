#include "rpc/endpoint.h"

#include <algorithm>

#include <absl/strings/escaping.h>
#include <absl/strings/numbers.h>
#include <absl/strings/str_cat.h>

#include "base/text.h"

namespace enigma {

std::string Endpoint::ToText() const {
  if (host.find(':') != std::string::npos) return absl::StrCat("[", host, "]:", port);
  return absl::StrCat(host, ":", port);
}

absl::StatusOr<Endpoint> ParseEndpoint(std::string_view text, int default_port) {
  const auto malformed = [text](absl::string_view why) {
    return absl::InvalidArgumentError(absl::StrCat("\"", absl::CHexEscape(ToAbsl(text.substr(0, 300))),
                                                   "\" is not an address: ", why,
                                                   " (expected HOST:PORT, or [IPV6]:PORT)"));
  };
  if (text.empty()) return malformed("it is empty");
  std::string_view host = text, port;
  if (text.front() == '[') {
    const size_t close = text.find(']');
    if (close == std::string_view::npos) return malformed("a bracket is not closed");
    host = text.substr(1, close - 1);
    const std::string_view rest = text.substr(close + 1);
    if (!rest.empty() && rest.front() != ':') return malformed("something other than a port follows the bracket");
    if (!rest.empty()) port = rest.substr(1);
    if (!rest.empty() && port.empty()) return malformed("the port is missing");
  } else if (std::count(text.begin(), text.end(), ':') == 1) {
    const size_t colon = text.find(':');
    host = text.substr(0, colon);
    port = text.substr(colon + 1);
    if (port.empty()) return malformed("the port is missing");
  }
  if (host.empty()) return malformed("the host is missing");
  Endpoint endpoint{std::string(host), default_port};
  if (!port.empty() &&
      (!absl::SimpleAtoi(ToAbsl(port), &endpoint.port) || endpoint.port < 0 || endpoint.port > 65535)) {
    return malformed("the port is not a number from 0 to 65535");
  }
  return endpoint;
}

}  // namespace enigma
