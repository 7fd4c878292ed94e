#pragma once

#include <string>

#include <absl/status/statusor.h>

#include "cli/cluster/cluster_client.h"
#include "proto/cluster.pb.h"

namespace enigma::cli {

// Registers a file on the coordinator's disk, with progress. A relative path is made absolute from here. ALREADY_EXISTS
// when the name stands for other content, unless that is to be replaced.
absl::StatusOr<v1::ModelInfo> ImportModel(ClusterClient& client, const std::string& path, const std::string& name,
                                          bool replace);

// Places and loads a model, with progress; the last message, which holds the replica.
absl::StatusOr<v1::LoadProgress> LoadModel(ClusterClient& client, const v1::LoadRequest& request);

}  // namespace enigma::cli
