#include "cli/doctor/port_checks.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

#include <absl/strings/str_cat.h>

#include "cli/settings/option_table.h"
#include "cli/settings/settings.h"

namespace enigma::cli {

namespace {

uint16_t DefaultPort(const char* name, unsigned daemon) {
  const DaemonOption* option = FindDaemonOption(name, daemon);
  const std::string text = option == nullptr ? "" : DefaultOf(*option, daemon);
  const size_t colon = text.rfind(':');
  return static_cast<uint16_t>(std::stoi(colon == std::string::npos ? text : text.substr(colon + 1)));
}

}  // namespace

PortState ProbePort(uint16_t port, bool udp) {
  const int fd = ::socket(AF_INET, (udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC, 0);
  if (fd < 0) return PortState::kForbidden;
  // As the daemons do: several listeners for beacons share a port, and a TCP port just left may be taken again.
  const int on = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  if (udp) ::setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_ANY);
  address.sin_port = htons(port);
  const bool bound =
      ::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0 && (udp || ::listen(fd, 1) == 0);
  const int error = errno;
  ::close(fd);
  if (bound) return PortState::kFree;
  return error == EADDRINUSE ? PortState::kInUse : PortState::kForbidden;
}

void CheckPorts(std::optional<uint16_t> listening_port, Findings& findings) {
  struct Use {
    const char* what;
    const char* option;
    unsigned daemon;
    bool udp;
  };
  constexpr Use kUses[] = {{"coordinator gRPC", "listen", kCoordinatorDaemon, false},
                           {"coordinator HTTP", "http", kCoordinatorDaemon, false},
                           {"beacons", "udp-port", kCoordinatorDaemon, true},
                           {"worker gRPC", "listen", kWorkerDaemon, false},
                           {"worker metrics", "metrics-port", kWorkerDaemon, false}};
  for (const Use& use : kUses) {
    const uint16_t port = DefaultPort(use.option, use.daemon);
    const std::string name = absl::StrCat(use.udp ? "UDP " : "TCP ", port, " (", use.what, ")");
    switch (ProbePort(port, use.udp)) {
      case PortState::kFree:
        findings.push_back({"ports", Verdict::kFine, name + " is free", ""});
        break;
      case PortState::kInUse:
        if (listening_port == port && !use.udp) {
          findings.push_back({"ports", Verdict::kFine, name + " is held by the running coordinator", ""});
        } else {
          findings.push_back(
              {"ports", Verdict::kNote, name + " is in use",
               absl::StrCat("by an enigma that runs already, or by another program (`ss -", use.udp ? "u" : "t",
                            "lnp 'sport = :", port, "'`); choose another with --", use.option)});
        }
        break;
      case PortState::kForbidden:
        findings.push_back({"ports", Verdict::kProblem, name + " may not be opened by this user",
                            absl::StrCat("choose another with --", use.option)});
        break;
    }
  }
}

}  // namespace enigma::cli
