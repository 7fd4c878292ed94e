#pragma once

#include <memory>
#include <string>
#include <utility>

#include <absl/status/statusor.h>

#include "cli/cluster/cluster_client.h"
#include "cli/generation/generation.h"

namespace enigma::cli {

// A model of the cluster, by name.
class ClusterModel final : public AnsweringModel {
 public:
  ClusterModel(std::unique_ptr<ClusterClient> client, std::string name)
      : client_(std::move(client)), name_(std::move(name)) {}

  size_t answers_at_once() const override { return 8; }  // enough for a batch, and room for others in it
  absl::StatusOr<GenerationResult> Generate(const GenerationRequest& request, const TextSink& sink) override;
  // True, too, of a model that is not there: asking it tells more.
  absl::StatusOr<bool> HasChatTemplate() override;

 private:
  const std::unique_ptr<ClusterClient> client_;
  const std::string name_;
};

// Asks the cluster; text goes to `sink` as it arrives.
absl::StatusOr<GenerationResult> GenerateOnCluster(ClusterClient& client, const std::string& model,
                                                   const GenerationRequest& request, const TextSink& sink);

}  // namespace enigma::cli
