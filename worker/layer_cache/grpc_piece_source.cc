#include "worker/layer_cache/grpc_piece_source.h"

#include <chrono>

#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "rpc/status_conversion.h"

namespace enigma::worker {
namespace {

constexpr std::chrono::seconds kHasTimeout{5};

std::string BytesOf(const engine::Sha256& hash) { return {reinterpret_cast<const char*>(hash.data()), hash.size()}; }

}  // namespace

absl::StatusOr<std::vector<bool>> GrpcPieceSource::Has(const std::vector<engine::Sha256>& hashes) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + kHasTimeout);
  v1::HasRequest request;
  for (const engine::Sha256& hash : hashes) request.add_sha256(BytesOf(hash));
  v1::HasReply reply;
  ENIGMA_RETURN_IF_ERROR(FromGrpc(stub_->Has(&context, request, &reply)));
  return std::vector<bool>(reply.present().begin(), reply.present().end());
}

absl::Status GrpcPieceSource::Read(const engine::Sha256& hash, uint64_t offset,
                                   absl::FunctionRef<absl::Status(std::string_view)> sink) {
  grpc::ClientContext context;
  v1::FetchRequest request;
  request.set_sha256(BytesOf(hash));
  request.set_offset(offset);
  const auto reader = stub_->Fetch(&context, request);
  v1::FetchChunk chunk;
  absl::Status taken;
  while (reader->Read(&chunk)) {
    taken = sink(chunk.data());
    if (taken.ok()) continue;
    context.TryCancel();
    break;
  }
  const absl::Status ended = FromGrpc(reader->Finish());
  return taken.ok() ? ended : taken;
}

}  // namespace enigma::worker
