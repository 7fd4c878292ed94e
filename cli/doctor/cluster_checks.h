#pragma once

#include <cstdint>
#include <optional>

#include "cli/cluster/cluster_flags.h"
#include "cli/doctor/finding.h"

namespace enigma::cli {

// Checks of the cluster that `flags` lead to, where one was ever set up there. Returns the port of a coordinator that
// answers.
std::optional<uint16_t> CheckCluster(const ClusterFlags& flags, Findings& findings);

}  // namespace enigma::cli
