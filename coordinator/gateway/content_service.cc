#include "coordinator/gateway/content_service.h"

#include <algorithm>
#include <string>

#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "rpc/status_conversion.h"

namespace enigma::coordinator {
namespace {

constexpr uint64_t kChunkBytes = 1 << 20;

absl::StatusOr<GgufPtr> FileOf(const ControlPlane& plane, const ModelRegistry::Piece& piece) {
  return piece.of_encoder ? plane.files.OpenEncoder(*piece.model) : plane.files.Open(*piece.model);
}

}  // namespace

grpc::Status ContentService::Fetch(grpc::ServerContext* context, const enigma::v1::FetchRequest* request,
                                   grpc::ServerWriter<enigma::v1::FetchChunk>* writer) {
  if (const auto peer = access_.ForNodes(*context); !peer.ok()) return ToGrpc(peer.status());
  return ToGrpc(Send(*context, *request, *writer));
}

absl::Status ContentService::Send(grpc::ServerContext& context, const enigma::v1::FetchRequest& request,
                                  grpc::ServerWriter<enigma::v1::FetchChunk>& writer) {
  ENIGMA_ASSIGN_OR_RETURN(const ModelRegistry::Piece piece, plane_.models.FindPiece(request.sha256()));
  const engine::Blob* blob = piece.blob;
  if (request.offset() > blob->bytes) {
    return absl::OutOfRangeError(
        absl::StrCat("offset ", request.offset(), " is beyond the piece's ", blob->bytes, " bytes"));
  }
  enigma::v1::FetchChunk chunk;
  chunk.set_total_bytes(blob->bytes);
  uint64_t offset = request.offset();
  do {
    if (context.IsCancelled()) return absl::CancelledError("the caller went away");
    // Asked again for each chunk: a file that changes meanwhile must not be passed on as what was imported.
    ENIGMA_ASSIGN_OR_RETURN(const GgufPtr file, FileOf(plane_, piece));
    std::string& data = *chunk.mutable_data();
    data.resize(std::min(kChunkBytes, blob->bytes - offset));
    ENIGMA_RETURN_IF_ERROR(
        engine::ReadBlob(*file, *blob, offset, {reinterpret_cast<uint8_t*>(data.data()), data.size()}));
    if (!writer.Write(chunk)) return absl::CancelledError("the caller went away");
    offset += data.size();
    plane_.metrics.Counter(Metric::kPieceBytesServed).Increment(static_cast<double>(data.size()));
    chunk.clear_total_bytes();
  } while (offset < blob->bytes);
  return absl::OkStatus();
}

grpc::Status ContentService::Has(grpc::ServerContext* context, const enigma::v1::HasRequest* request,
                                 enigma::v1::HasReply* reply) {
  if (const auto peer = access_.ForNodes(*context); !peer.ok()) return ToGrpc(peer.status());
  for (const std::string& hash : request->sha256()) {
    const absl::StatusOr<ModelRegistry::Piece> piece = plane_.models.FindPiece(hash);
    reply->add_present(piece.ok() && FileOf(plane_, *piece).ok());
  }
  return grpc::Status::OK;
}

}  // namespace enigma::coordinator
