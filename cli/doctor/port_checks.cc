#include "cli/doctor/port_checks.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include <absl/strings/str_cat.h>

#include "cli/doctor/port_holder.h"
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

// A port that is taken: by whom, and whether that is as it should be.
Finding DescribeTaken(const std::string& name, uint16_t port, bool udp, const char* flag, bool by_coordinator) {
  if (const auto holder = FindPortHolder(port, udp)) {
    const std::string who = absl::StrCat("`", holder->program, holder->command.empty() ? "" : " ", holder->command,
                                         "` (process ", holder->pid, ")");
    if (holder->program == "enigma") return {"ports", Verdict::kFine, absl::StrCat(name, " is held by ", who), ""};
    return {"ports", Verdict::kNote, absl::StrCat(name, " is taken by ", who),
            absl::StrCat("end that program, or choose another port with --", flag)};
  }
  if (by_coordinator) return {"ports", Verdict::kFine, name + " is held by the running coordinator", ""};
  return {"ports", Verdict::kNote, name + " is taken by a process of another user or container",
          absl::StrCat("`sudo ss -", udp ? "u" : "t", "lnp 'sport = :", port,
                       "'` names it; choose another port with --", flag)};
}

}  // namespace

PortState ProbePort(uint16_t port, bool udp) {
  const int fd = ::socket(AF_INET, (udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC, 0);
  if (fd < 0) return PortState::kForbidden;
  // A TCP port just left may be taken again at once, as the daemons do. A UDP port must not be shared here: with
  // SO_REUSEPORT, one that is taken would seem free.
  const int on = 1;
  if (!udp) ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
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

void CheckPorts(const std::vector<uint16_t>& listening, Findings& findings) {
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
        findings.push_back(
            DescribeTaken(name, port, use.udp, use.option,
                          !use.udp && std::find(listening.begin(), listening.end(), port) != listening.end()));
        break;
      case PortState::kForbidden:
        findings.push_back({"ports", Verdict::kProblem, name + " may not be opened by this user",
                            absl::StrCat("choose another with --", use.option)});
        break;
    }
  }
}

}  // namespace enigma::cli
