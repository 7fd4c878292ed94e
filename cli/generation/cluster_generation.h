#pragma once

#include <string>

#include <absl/status/statusor.h>

#include "cli/cluster/cluster_client.h"
#include "cli/generation/generation.h"

namespace enigma::cli {

// Asks the cluster; text goes to `sink` as it arrives.
absl::StatusOr<GenerationResult> GenerateOnCluster(ClusterClient& client, const std::string& model,
                                                   const GenerationRequest& request, const TextSink& sink);

}  // namespace enigma::cli
