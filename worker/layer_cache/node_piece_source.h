#pragma once

#include <memory>
#include <string>

#include "worker/connection/node_channels.h"
#include "worker/layer_cache/grpc_piece_source.h"
#include "worker/layer_cache/piece_source.h"

namespace enigma::worker {

// A node's Content service that is connected to when first asked, so that an absent one costs nothing where nothing is
// missing. `channels` outlives it.
class NodePieceSource : public PieceSource {
 public:
  NodePieceSource(const NodeChannels& channels, v1::NodeAddress node) : channels_(channels), node_(std::move(node)) {}

  std::string name() const override;
  absl::StatusOr<std::vector<bool>> Has(const std::vector<engine::Sha256>& hashes) override;
  absl::Status Read(const engine::Sha256& hash, uint64_t offset,
                    absl::FunctionRef<absl::Status(std::string_view)> sink) override;

 private:
  const NodeChannels& channels_;
  const v1::NodeAddress node_;
  std::unique_ptr<GrpcPieceSource> source_;
};

}  // namespace enigma::worker
