#include "worker/layer_cache/node_piece_source.h"

#include <absl/strings/str_cat.h>

#include "base/status_macros.h"

namespace enigma::worker {

std::string NodePieceSource::name() const { return absl::StrCat("node ", node_.node_id()); }

absl::StatusOr<std::vector<bool>> NodePieceSource::Has(const std::vector<engine::Sha256>& hashes) {
  ENIGMA_ASSIGN_OR_RETURN(const auto channel, channels_.Connect(node_));
  source_ = std::make_unique<GrpcPieceSource>(name(), channel);
  return source_->Has(hashes);
}

absl::Status NodePieceSource::Read(const engine::Sha256& hash, uint64_t offset,
                                   absl::FunctionRef<absl::Status(std::string_view)> sink) {
  if (source_ == nullptr) return absl::FailedPreconditionError("was not asked what it has");
  return source_->Read(hash, offset, sink);
}

}  // namespace enigma::worker
