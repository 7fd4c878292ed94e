#include "worker/layer_cache/content_service.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <absl/cleanup/cleanup.h>
#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "rpc/status_conversion.h"

namespace enigma::worker {
namespace {

constexpr size_t kChunkBytes = size_t{1} << 20;

absl::StatusOr<engine::Sha256> HashFrom(const std::string& bytes) {
  engine::Sha256 hash{};
  if (bytes.size() != hash.size()) {
    return absl::InvalidArgumentError(absl::StrCat("a SHA-256 has 32 bytes, not ", bytes.size()));
  }
  std::memcpy(hash.data(), bytes.data(), hash.size());
  return hash;
}

}  // namespace

grpc::Status ContentService::Fetch(grpc::ServerContext* context, const v1::FetchRequest* request,
                                   grpc::ServerWriter<v1::FetchChunk>* writer) {
  const absl::StatusOr<Peer> peer = authoriser_.Authorise(*context, {Role::kWorker, Role::kCoordinator});
  return ToGrpc(peer.ok() ? Serve(*request, *writer) : peer.status());
}

grpc::Status ContentService::Has(grpc::ServerContext* context, const v1::HasRequest* request, v1::HasReply* reply) {
  const absl::StatusOr<Peer> peer = authoriser_.Authorise(*context, {Role::kWorker, Role::kCoordinator});
  if (!peer.ok()) return ToGrpc(peer.status());
  for (const std::string& bytes : request->sha256()) {
    const absl::StatusOr<engine::Sha256> hash = HashFrom(bytes);
    if (!hash.ok()) return ToGrpc(hash.status());
    reply->add_present(cache_.Has(*hash));
  }
  return grpc::Status::OK;
}

absl::Status ContentService::Serve(const v1::FetchRequest& request, grpc::ServerWriter<v1::FetchChunk>& writer) {
  ENIGMA_ASSIGN_OR_RETURN(const engine::Sha256 hash, HashFrom(request.sha256()));
  const std::string path = cache_.PathOf(hash);
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return absl::NotFoundError(absl::StrCat("piece ", engine::HexOf(hash), " is not here"));
  const absl::Cleanup close = [fd] { ::close(fd); };
  struct stat info {};
  if (::fstat(fd, &info) != 0) return absl::ErrnoToStatus(errno, path);
  const auto total = static_cast<uint64_t>(info.st_size);
  if (request.offset() > total) {
    return absl::OutOfRangeError(absl::StrCat("offset ", request.offset(), " in a piece of ", total, " bytes"));
  }
  v1::FetchChunk chunk;
  chunk.set_total_bytes(total);
  for (uint64_t offset = request.offset(); offset < total;) {
    std::string& data = *chunk.mutable_data();
    data.resize(std::min<uint64_t>(kChunkBytes, total - offset));
    const ssize_t got = ::pread(fd, data.data(), data.size(), static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return absl::DataLossError(absl::StrCat(path, " could not be read at ", offset));
    data.resize(static_cast<size_t>(got));
    offset += static_cast<uint64_t>(got);
    bytes_served_.Increment(static_cast<double>(got));
    if (!writer.Write(chunk)) return absl::CancelledError("the reader went away");
    chunk.clear_total_bytes();
  }
  return absl::OkStatus();
}

}  // namespace enigma::worker
