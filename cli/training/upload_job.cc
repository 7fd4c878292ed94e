#include "cli/training/upload_job.h"

#include <fstream>
#include <memory>

#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "cli/output/format.h"
#include "cli/output/progress.h"
#include "engine/spec/gguf_encode.h"
#include "engine/spec/router_spec.h"
#include "engine/text/tokenizer_file.h"

namespace enigma::cli {

namespace {

using SubmitStream = grpc::ClientReaderWriter<v1::SubmitJobRequest, v1::SubmitJobProgress>;

constexpr size_t kPieceBytes = 1 << 20;
constexpr uint64_t kShareUnits = 1000;  // a share as whole numbers, for the bar

// The vocabulary of a file, which may hold a whole model, as a file of its own.
absl::StatusOr<std::string> VocabularyOf(const std::string& path) {
  ENIGMA_ASSIGN_OR_RETURN(const auto file, engine::GgufFile::Open(path));
  engine::GgufMetadata metadata;
  metadata.Set("general.architecture", std::string("llama"));
  engine::CopyTokenizerKeys(file->metadata(), metadata);
  // Labels keep the tokens that they have.
  ENIGMA_ASSIGN_OR_RETURN(const auto router, engine::RouterSpecFromGguf(file->metadata()));
  if (router) engine::SetRouterKeys(*router, metadata);
  return engine::EncodeGgufHead(metadata, {});
}

// Whether the coordinator takes more; else the call has ended, and its status says why.
bool SendTokenizer(SubmitStream& stream, const std::string& vocabulary) {
  v1::SubmitJobRequest request;
  request.mutable_file()->set_name("tokenizer");
  request.mutable_file()->set_tokenizer(true);
  if (!stream.Write(request)) return false;
  for (size_t at = 0; at < vocabulary.size(); at += kPieceBytes) {
    request.set_data(vocabulary.substr(at, kPieceBytes));
    if (!stream.Write(request)) return false;
  }
  return true;
}

absl::Status SendFile(SubmitStream& stream, const TrainingFile& file, uint64_t before, uint64_t total,
                      Progress& progress, bool* taken) {
  std::ifstream input(file.path, std::ios::binary);
  if (!input) return absl::NotFoundError(absl::StrCat(file.path, " cannot be read"));
  v1::SubmitJobRequest request;
  request.mutable_file()->set_name(file.path);
  *taken = stream.Write(request);
  uint64_t sent = 0;
  while (*taken && input) {
    std::string& data = *request.mutable_data();
    data.resize(kPieceBytes);
    input.read(data.data(), static_cast<std::streamsize>(data.size()));
    data.resize(static_cast<size_t>(input.gcount()));
    if (data.empty()) break;
    *taken = stream.Write(request);
    sent += data.size();
    progress.Update(before + sent, total, FormatBytes(total));
  }
  if (!input.eof() && *taken) return absl::UnavailableError(absl::StrCat(file.path, " cannot be read to its end"));
  return absl::OkStatus();
}

absl::Status SendAll(SubmitStream& stream, const JobUpload& upload, const std::string& vocabulary) {
  uint64_t total = 0;
  for (const TrainingFile& file : upload.files) total += file.bytes;
  v1::SubmitJobRequest request;
  *request.mutable_head()->mutable_options() = upload.options;
  request.mutable_head()->set_tokenizer_model(upload.tokenizer_model);
  bool taken = stream.Write(request);
  if (taken && !vocabulary.empty()) taken = SendTokenizer(stream, vocabulary);
  Progress progress("sending");
  uint64_t sent = 0;
  for (const TrainingFile& file : upload.files) {
    if (!taken) break;
    ENIGMA_RETURN_IF_ERROR(SendFile(stream, file, sent, total, progress, &taken));
    sent += file.bytes;
  }
  if (taken) stream.WritesDone();
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<v1::SubmitJobProgress> SubmitJob(ClusterClient& client, const JobUpload& upload, CallStopper& stopper) {
  std::string vocabulary;
  if (!upload.tokenizer_path.empty()) {
    ENIGMA_ASSIGN_OR_RETURN(vocabulary, VocabularyOf(upload.tokenizer_path));
  }
  const std::unique_ptr<grpc::ClientContext> context = stopper.NewCall();
  const std::unique_ptr<SubmitStream> stream = client.training().Submit(context.get());
  if (absl::Status sent = SendAll(*stream, upload, vocabulary); !sent.ok()) {
    context->TryCancel();
    stream->Finish();
    stopper.Forget();
    return sent;
  }
  v1::SubmitJobProgress step;
  v1::SubmitJobProgress last;
  {
    Progress progress("preparing");
    while (stream->Read(&step)) {
      progress.Update(static_cast<uint64_t>(step.share() * kShareUnits), kShareUnits, step.phase());
      last = step;
    }
  }
  const grpc::Status ended = stream->Finish();
  stopper.Forget();
  if (stopper.stopped() && last.job() == 0) {
    return absl::CancelledError("nothing was begun: the job was taken back before it was queued");
  }
  ENIGMA_RETURN_IF_ERROR(client.Explain(ended));
  if (last.job() == 0) return absl::InternalError("the coordinator ended the call without a job");
  return last;
}

}  // namespace enigma::cli
