#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "cli/doctor/finding.h"

namespace enigma::cli {

// Whether the daemons' default ports can be had. `listening_port`: where a coordinator of this user listens now, whose
// port being in use is as it should be.
void CheckPorts(std::optional<uint16_t> listening_port, Findings& findings);

enum class PortState { kFree, kInUse, kForbidden };
PortState ProbePort(uint16_t port, bool udp);

}  // namespace enigma::cli
