#pragma once

#include <string>

#include <absl/status/status.h>

#include "cli/cluster/cluster_client.h"

namespace enigma::cli {

enum class ModelPart { kDecoder, kEncoder };

// Writes a copy of a file of a registered model to `path`, with progress, and checks by its content that it is whole
// and the model's. What is there already is replaced; after an error nothing is left.
[[nodiscard]] absl::Status FetchModelFile(ClusterClient& client, const std::string& name, ModelPart part,
                                          const std::string& path);

}  // namespace enigma::cli
