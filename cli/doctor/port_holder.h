#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>

namespace enigma::cli {

// The process behind a port of this machine.
struct PortHolder {
  pid_t pid = 0;
  std::string program;  // name of the executable, "enigma"
  std::string command;  // its first argument, "coordinator"; empty without one
};

// Who listens on `port`. Nothing when nobody does, or when the kernel does not tell this user: processes of others are
// hidden from all but root.
std::optional<PortHolder> FindPortHolder(uint16_t port, bool udp);

}  // namespace enigma::cli
