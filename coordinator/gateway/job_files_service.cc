#include "coordinator/gateway/job_files_service.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include <absl/functional/function_ref.h>
#include <absl/strings/str_cat.h>
#include <absl/time/time.h>

#include "base/status_macros.h"
#include "base/text.h"
#include "coordinator/jobs/describe_job.h"
#include "coordinator/jobs/mapped_text.h"
#include "coordinator/jobs/received_file.h"
#include "engine/checkpoint/checkpoint_writer.h"
#include "rpc/status_conversion.h"
#include "telemetry/log.h"

namespace enigma::coordinator {
namespace {

constexpr uint64_t kJobFileChunkBytes = 1 << 20;
constexpr size_t kHashBytes = 32;
// A state is three values of four bytes per parameter, an exported model at most one and what describes it.
constexpr uint64_t kBytesPerParameterMax = 16;
constexpr uint64_t kBytesBesideMax = uint64_t{256} << 20;

absl::Status CheckHead(const enigma::v1::StoreJobFileRequest::Head& head, const Job& job) {
  if (head.sha256().size() != kHashBytes) {
    return absl::InvalidArgumentError(absl::StrCat("a SHA-256 has ", kHashBytes, " bytes, not ", head.sha256().size()));
  }
  const uint64_t most = job.parameters * kBytesPerParameterMax + kBytesBesideMax;
  if (head.total_bytes() > most) {
    return absl::InvalidArgumentError(absl::StrCat("a file of ", head.total_bytes(), " bytes is none of job ", job.id,
                                                   ", whose model has ", job.parameters, " parameters"));
  }
  return absl::OkStatus();
}

// Gives what the messages hold to `take`, as long as it is no more than was announced.
absl::Status ReadPieces(const enigma::v1::StoreJobFileRequest& first,
                        grpc::ServerReader<enigma::v1::StoreJobFileRequest>& reader,
                        absl::FunctionRef<absl::Status(const std::string& data)> take) {
  uint64_t bytes = 0;
  enigma::v1::StoreJobFileRequest request = first;
  do {
    bytes += request.data().size();
    if (bytes > first.head().total_bytes()) {
      return absl::DataLossError(absl::StrCat("more than the ", first.head().total_bytes(), " bytes announced came"));
    }
    ENIGMA_RETURN_IF_ERROR(take(request.data()));
  } while (reader.Read(&request));
  if (bytes == first.head().total_bytes()) return absl::OkStatus();
  return absl::DataLossError(absl::StrCat(first.head().total_bytes(), " bytes were announced and ", bytes, " came"));
}

}  // namespace

absl::StatusOr<Peer> JobFilesService::Admit(const grpc::ServerContext& context) const {
  ENIGMA_ASSIGN_OR_RETURN(Peer peer, access_.ForNodes(context));
  if (peer.unproved || peer.role == Role::kWorker) return peer;
  return absl::PermissionDeniedError(
      absl::StrCat("files of jobs are for workers, and the caller is a ", ToAbsl(RoleName(peer.role))));
}

grpc::Status JobFilesService::Fetch(grpc::ServerContext* context, const enigma::v1::FetchJobFileRequest* request,
                                    grpc::ServerWriter<enigma::v1::FileChunk>* writer) {
  if (const auto peer = Admit(*context); !peer.ok()) return ToGrpc(peer.status());
  return ToGrpc(Send(*context, *request, *writer));
}

absl::Status JobFilesService::Send(grpc::ServerContext& context, const enigma::v1::FetchJobFileRequest& request,
                                   grpc::ServerWriter<enigma::v1::FileChunk>& writer) {
  ENIGMA_RETURN_IF_ERROR(jobs_.Find(request.job()).status());
  ENIGMA_ASSIGN_OR_RETURN(const std::string path, folders_.FindFile(request.job(), request.name()));
  ENIGMA_ASSIGN_OR_RETURN(const std::unique_ptr<MappedText> file, MappedText::Open(path));
  const std::string_view bytes = file->bytes();
  if (request.offset() > bytes.size()) {
    return absl::OutOfRangeError(
        absl::StrCat("offset ", request.offset(), " is beyond the file's ", bytes.size(), " bytes"));
  }
  enigma::v1::FileChunk chunk;
  chunk.set_total_bytes(bytes.size());
  uint64_t offset = request.offset();
  do {
    if (context.IsCancelled()) return absl::CancelledError("the caller went away");
    chunk.set_data(std::string(bytes.substr(offset, kJobFileChunkBytes)));
    if (!writer.Write(chunk)) return absl::CancelledError("the caller went away");
    offset += chunk.data().size();
    chunk.clear_total_bytes();
  } while (offset < bytes.size());
  return absl::OkStatus();
}

grpc::Status JobFilesService::Store(grpc::ServerContext* context, Reader* reader, enigma::v1::StoreJobFileReply*) {
  const absl::StatusOr<Peer> peer = Admit(*context);
  return ToGrpc(peer.ok() ? Take(*peer, *reader) : peer.status());
}

absl::Status JobFilesService::Take(const Peer& peer, Reader& reader) {
  enigma::v1::StoreJobFileRequest first;
  if (!reader.Read(&first)) return absl::InvalidArgumentError("the first message must say what comes");
  const Head& head = first.head();
  if (!peer.unproved && head.node_id() != peer.node_id) {
    return absl::PermissionDeniedError(
        absl::StrCat("node ", peer.node_id, " cannot store files in the name of node ", head.node_id()));
  }
  ENIGMA_ASSIGN_OR_RETURN(const Job job, jobs_.Find(head.job()));
  ENIGMA_RETURN_IF_ERROR(CheckHead(head, job));
  return head.kind() == "checkpoint" ? TakeCheckpoint(job, first, reader) : TakeExport(job, first, reader);
}

absl::Status JobFilesService::TakeCheckpoint(const Job& job, const enigma::v1::StoreJobFileRequest& first,
                                             Reader& reader) {
  const Head& head = first.head();
  if (!IsUnderWay(job.state)) {
    return absl::FailedPreconditionError(
        absl::StrCat("job ", job.id, " is ", ToAbsl(JobStateName(job.state)), " and takes no checkpoint"));
  }
  ValidationBook validation = job.validation;
  validation.Note(BookOf(head.validations()));
  const bool best = head.step() == validation.best_step;
  if (head.step() < job.checkpoint_step && !best) return absl::OkStatus();  // a newer one is here
  ENIGMA_ASSIGN_OR_RETURN(const auto folder, folders_.Checkpoints(job.id));
  auto begun = folder->Begin(head.step(), head.total_bytes());
  if (absl::IsAlreadyExists(begun.status())) return absl::OkStatus();
  ENIGMA_ASSIGN_OR_RETURN(const std::unique_ptr<engine::CheckpointWriter> writer, std::move(begun));
  ENIGMA_RETURN_IF_ERROR(ReadPieces(first, reader, [&](const std::string& data) {
    const auto* bytes = reinterpret_cast<const uint8_t*>(data.data());
    return writer->Append(kStateFile, {bytes, data.size()});
  }));
  engine::CheckpointManifest manifest;
  manifest.step = head.step();
  manifest.made_by = head.node_id();
  manifest.time = plane_.clock.Now();
  if (best) {
    manifest.validation_loss = validation.best_loss;
  } else if (validation.step == head.step() && std::isfinite(validation.loss)) {
    manifest.validation_loss = validation.loss;
  }
  engine::CheckpointFile file{kStateFile, head.total_bytes(), {}};
  std::copy(head.sha256().begin(), head.sha256().end(), file.hash.begin());
  manifest.files.push_back(file);
  ENIGMA_RETURN_IF_ERROR(writer->Commit(manifest).status());
  engine::PrunePolicy policy;
  policy.keep_newest = job.keep_checkpoints;
  policy.keep_best = false;  // the book knows of more validations than there are checkpoints
  ENIGMA_RETURN_IF_ERROR(jobs_.Update(job.id, [&](Job& its) {
    its.checkpoint_step = std::max(its.checkpoint_step, head.step());
    its.validation.Note(BookOf(head.validations()));
    policy.keep_steps = {its.validation.best_step};
  }));
  if (const auto pruned = folder->Prune(policy); !pruned.ok()) {
    LogWarn("job {}: old checkpoints stay: {}", job.id, Describe(pruned.status()));
  }
  return absl::OkStatus();
}

absl::Status JobFilesService::TakeExport(const Job& job, const enigma::v1::StoreJobFileRequest& first, Reader& reader) {
  const Head& head = first.head();
  ENIGMA_ASSIGN_OR_RETURN(const std::string path, folders_.ExportPath(job.id, head.kind()));
  if (job.state != JobState::kExporting) {
    return absl::FailedPreconditionError(
        absl::StrCat("job ", job.id, " is ", ToAbsl(JobStateName(job.state)), " and exports no model"));
  }
  ENIGMA_ASSIGN_OR_RETURN(const std::unique_ptr<ReceivedFile> file, ReceivedFile::Create(path));
  ENIGMA_RETURN_IF_ERROR(ReadPieces(first, reader, [&](const std::string& data) { return file->Append(data); }));
  return file->Commit(head.total_bytes(), head.sha256());
}

}  // namespace enigma::coordinator
