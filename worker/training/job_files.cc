#include "worker/training/job_files.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

#include <absl/cleanup/cleanup.h>
#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "rpc/status_conversion.h"
#include "telemetry/log.h"

namespace enigma::worker {
namespace {

constexpr size_t kPieceBytes = size_t{1} << 20;
constexpr int kAttemptsWithoutProgress = 3;
constexpr absl::Duration kPause = absl::Milliseconds(300);

absl::StatusOr<engine::Sha256> CheckedHashOf(const v1::JobFile& file) {
  engine::Sha256 hash{};
  if (file.sha256().size() != hash.size()) {
    return absl::InvalidArgumentError(absl::StrCat("the job's file ", file.name(), " comes without a SHA-256"));
  }
  std::memcpy(hash.data(), file.sha256().data(), hash.size());
  return hash;
}

absl::Status FetchOnce(v1::JobFiles::Stub& stub, uint64_t job, const v1::JobFile& file, PieceWriter& writer,
                       FetchProgress& progress, const StopSignal& stop) {
  grpc::ClientContext context;
  const StopSignal::Action cancel(stop, [&context] { context.TryCancel(); });
  v1::FetchJobFileRequest request;
  request.set_job(job);
  request.set_name(file.name());
  request.set_offset(writer.size());
  const auto reader = stub.Fetch(&context, request);
  v1::FileChunk chunk;
  absl::Status taken;
  while (taken.ok() && reader->Read(&chunk)) {
    taken = writer.Append(chunk.data());
    if (taken.ok()) progress.bytes_fetched += chunk.data().size();
  }
  if (!taken.ok()) context.TryCancel();
  const absl::Status ended = FromGrpc(reader->Finish());
  return taken.ok() ? ended : taken;
}

absl::Status FetchWhole(v1::JobFiles::Stub& stub, uint64_t job, const v1::JobFile& file, const engine::Sha256& hash,
                        LayerCache& cache, FetchProgress& progress, const StopSignal& stop) {
  ENIGMA_ASSIGN_OR_RETURN(const std::unique_ptr<PieceWriter> writer, cache.Resume(hash, file.bytes()));
  absl::Status last;
  for (int in_vain = 0; writer->size() < file.bytes() && in_vain < kAttemptsWithoutProgress;) {
    const uint64_t before = writer->size();
    last = FetchOnce(stub, job, file, *writer, progress, stop);
    if (stop.stopped()) return stop.reason();
    if (absl::IsResourceExhausted(last) || absl::IsNotFound(last)) return last;
    if (writer->size() == file.bytes()) break;
    in_vain = writer->size() > before ? 0 : in_vain + 1;
    if (stop.notification().WaitForNotificationWithTimeout(kPause)) return stop.reason();
  }
  if (!last.ok() && writer->size() < file.bytes()) return last;
  return writer->Commit();
}

}  // namespace

absl::Status FetchJobFile(const std::shared_ptr<grpc::Channel>& coordinator, uint64_t job, const v1::JobFile& file,
                          LayerCache& cache, FetchProgress& progress, const StopSignal& stop) {
  ENIGMA_ASSIGN_OR_RETURN(const engine::Sha256 hash, CheckedHashOf(file));
  progress.bytes_needed += file.bytes();
  progress.bytes_present += std::min<uint64_t>(cache.BytesPresent(hash), file.bytes());
  if (cache.Has(hash)) return absl::OkStatus();
  const auto stub = v1::JobFiles::NewStub(coordinator);
  absl::Status fetched = FetchWhole(*stub, job, file, hash, cache, progress, stop);
  // What lay here in part may have been spoilt: once more, from the beginning.
  if (absl::IsDataLoss(fetched)) fetched = FetchWhole(*stub, job, file, hash, cache, progress, stop);
  return fetched;
}

absl::Status Chunks::Add(std::span<const uint8_t> bytes) {
  while (!bytes.empty()) {
    const size_t part = std::min(bytes.size(), kPieceBytes - piece_.size());
    piece_.append(reinterpret_cast<const char*>(bytes.data()), part);
    bytes = bytes.subspan(part);
    if (piece_.size() < kPieceBytes) continue;
    ENIGMA_RETURN_IF_ERROR(Finish());
  }
  return absl::OkStatus();
}

absl::Status Chunks::Finish() {
  if (piece_.empty()) return absl::OkStatus();
  std::string piece;
  piece.swap(piece_);
  return send_(std::move(piece));
}

absl::Status StoreJobFile(const std::shared_ptr<grpc::Channel>& coordinator, v1::StoreJobFileRequest::Head head,
                          const WriteBytes& write, const StopSignal& stop) {
  uint64_t bytes = 0;
  engine::Sha256Hasher hasher;
  ENIGMA_RETURN_IF_ERROR(write([&](std::span<const uint8_t> part) {
    if (stop.stopped()) return stop.reason();
    bytes += part.size();
    hasher.Update(part.data(), part.size());
    return absl::OkStatus();
  }));
  const engine::Sha256 hash = hasher.Finish();
  head.set_total_bytes(bytes);
  head.set_sha256(std::string(hash.begin(), hash.end()));

  grpc::ClientContext context;
  const StopSignal::Action cancel(stop, [&context] { context.TryCancel(); });
  const auto stub = v1::JobFiles::NewStub(coordinator);
  v1::StoreJobFileReply reply;
  const auto writer = stub->Store(&context, &reply);
  v1::StoreJobFileRequest request;
  *request.mutable_head() = std::move(head);
  bool open = writer->Write(request);
  request.clear_head();
  Chunks chunks([&](std::string piece) {
    request.set_data(std::move(piece));
    open = open && writer->Write(request);
    return open ? absl::OkStatus() : absl::UnavailableError("the coordinator takes no more");
  });
  absl::Status sent = write([&](std::span<const uint8_t> part) { return chunks.Add(part); });
  if (sent.ok()) sent = chunks.Finish();
  // Where the other side has ended the call, its status says why, and it is OK where the file, or a newer one, is there
  // already; otherwise half a file must not look like a whole one.
  if (!sent.ok() && open) context.TryCancel();
  writer->WritesDone();
  const absl::Status ended = FromGrpc(writer->Finish());
  if (stop.stopped()) return stop.reason();
  return !sent.ok() && open ? sent : ended;
}

absl::Status StoreJobFile(const std::shared_ptr<grpc::Channel>& coordinator, v1::StoreJobFileRequest::Head head,
                          const std::string& path, const StopSignal& stop) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return absl::ErrnoToStatus(errno, absl::StrCat("cannot read ", path));
  const absl::Cleanup close = [fd] { ::close(fd); };
  const WriteBytes write = [&](const engine::ByteSink& sink) {
    std::vector<uint8_t> buffer(kPieceBytes);
    for (off_t at = 0;;) {
      const ssize_t got = ::pread(fd, buffer.data(), buffer.size(), at);
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return absl::ErrnoToStatus(errno, absl::StrCat("cannot read ", path));
      if (got == 0) return absl::OkStatus();
      at += got;
      ENIGMA_RETURN_IF_ERROR(sink({buffer.data(), static_cast<size_t>(got)}));
    }
  };
  return StoreJobFile(coordinator, std::move(head), write, stop);
}

}  // namespace enigma::worker
