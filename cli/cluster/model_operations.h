#pragma once

#include <string>

#include <absl/status/statusor.h>

#include "cli/cluster/cluster_client.h"
#include "proto/cluster.pb.h"

namespace enigma::cli {

// Registers files on the coordinator's disk, with progress. ALREADY_EXISTS when the name stands for other content,
// unless that is to be replaced.
absl::StatusOr<v1::ModelInfo> ImportModel(ClusterClient& client, const v1::ImportModelRequest& request);

// Places and loads a model, with progress; the last message, which holds the replica.
absl::StatusOr<v1::LoadProgress> LoadModel(ClusterClient& client, const v1::LoadRequest& request);

}  // namespace enigma::cli
