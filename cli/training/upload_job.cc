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

// What has been sent of how much, on the bar.
struct Sent {
  Progress progress = Progress("sending");
  uint64_t bytes = 0;
  uint64_t total = 0;
};

// The file at `path`, by the name that `head` gives it. `more`: others follow, so that small ones may go together.
absl::Status SendFile(SubmitStream& stream, const std::string& path, v1::SubmitJobRequest::File head, bool more,
                      Sent& sent, bool* taken) {
  std::ifstream input(path, std::ios::binary);
  if (!input) return absl::NotFoundError(absl::StrCat(path, " cannot be read"));
  const grpc::WriteOptions buffered = grpc::WriteOptions().set_buffer_hint();
  v1::SubmitJobRequest request;
  *request.mutable_file() = std::move(head);
  *taken = stream.Write(request, buffered);
  while (*taken && input) {
    std::string& data = *request.mutable_data();
    data.resize(kPieceBytes);
    input.read(data.data(), static_cast<std::streamsize>(data.size()));
    data.resize(static_cast<size_t>(input.gcount()));
    if (data.empty()) break;
    *taken = stream.Write(request, more ? buffered : grpc::WriteOptions());
    sent.bytes += data.size();
    sent.progress.Update(sent.bytes, sent.total, FormatBytes(sent.total));
  }
  if (!input.eof() && *taken) return absl::UnavailableError(absl::StrCat(path, " cannot be read to its end"));
  return absl::OkStatus();
}

absl::Status SendAll(SubmitStream& stream, const JobUpload& upload, const std::string& vocabulary) {
  Sent sent;
  for (const TrainingFile& file : upload.files) sent.total += file.bytes;
  for (const PictureFile& picture : upload.pictures) sent.total += picture.bytes;
  v1::SubmitJobRequest request;
  *request.mutable_head()->mutable_options() = upload.options;
  request.mutable_head()->set_tokenizer_model(upload.tokenizer_model);
  bool taken = stream.Write(request);
  if (taken && !vocabulary.empty()) taken = SendTokenizer(stream, vocabulary);
  for (const TrainingFile& file : upload.files) {
    if (!taken) break;
    v1::SubmitJobRequest::File head;
    head.set_name(file.path);
    ENIGMA_RETURN_IF_ERROR(SendFile(stream, file.path, std::move(head), /*more=*/false, sent, &taken));
  }
  for (const PictureFile& picture : upload.pictures) {
    if (!taken) break;
    v1::SubmitJobRequest::File head;
    head.set_name(picture.name);
    head.set_picture(true);
    const bool more = &picture != &upload.pictures.back();
    ENIGMA_RETURN_IF_ERROR(SendFile(stream, picture.path, std::move(head), more, sent, &taken));
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
