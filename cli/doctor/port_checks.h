#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cli/doctor/finding.h"

namespace enigma::cli {

// Whether the daemons' default ports can be had. `listening`: TCP ports of a coordinator of this user that runs, whose
// being in use is as it should be.
void CheckPorts(const std::vector<uint16_t>& listening, Findings& findings);

enum class PortState { kFree, kInUse, kForbidden };
PortState ProbePort(uint16_t port, bool udp);

}  // namespace enigma::cli
