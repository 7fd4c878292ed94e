#pragma once

#include <cstdint>
#include <optional>

#include "cli/cluster/cluster_flags.h"
#include "cli/doctor/finding.h"
#include "proto/cluster.pb.h"

namespace enigma::cli {

// What to think of a node that is not attached; empty for one that is. One that has been gone for long is worth a note,
// not a problem that never ends.
std::optional<Finding> JudgeAbsence(const v1::NodeInfo& node);

// Checks of the cluster that `flags` lead to, where one was ever set up there. Returns the port of a coordinator that
// answers.
std::optional<uint16_t> CheckCluster(const ClusterFlags& flags, Findings& findings);

}  // namespace enigma::cli
