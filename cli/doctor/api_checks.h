#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cli/doctor/finding.h"

namespace enigma::cli {

// Checks of the addresses that a coordinator running with this data directory has for programs: HTTP or HTTPS, and gRPC
// for clients with an API key; and of the certificate that they show. Returns their ports.
std::vector<uint16_t> CheckApi(const std::string& data_dir, Findings& findings);

}  // namespace enigma::cli
