#pragma once

#include <string>
#include <string_view>

#include <absl/status/statusor.h>

namespace enigma {

// A host (name or literal address, IPv6 without brackets, a zone such as "%eth0" allowed) and a port.
struct Endpoint {
  std::string host;
  int port = 0;

  // "host:port", with brackets around IPv6.
  [[nodiscard]] std::string ToText() const;
  friend bool operator==(const Endpoint&, const Endpoint&) = default;
};

// Reads "host", "host:port", "1.2.3.4:port", "[::1]:port", "[::1]" or a bare IPv6 address; a port that is not given is
// `default_port`. Ports are 0 to 65535.
absl::StatusOr<Endpoint> ParseEndpoint(std::string_view text, int default_port);

}  // namespace enigma
