#include "cli/cluster/export_model.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <memory>

#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "cli/output/format.h"
#include "cli/output/progress.h"
#include "engine/spec/manifest.h"

namespace enigma::cli {

namespace {

// The content id that the file should have.
absl::StatusOr<std::string> Receive(ClusterClient& client, const v1::ExportModelRequest& request,
                                    const std::string& path) {
  grpc::ClientContext context;
  const auto reader = client.cluster().ExportModel(&context, request);
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  if (!out) return absl::FailedPreconditionError(absl::StrCat(path, " cannot be made: ", std::strerror(errno)));
  Progress progress("fetching");
  v1::ExportModelChunk chunk;
  std::string content_id;
  uint64_t total = 0;
  uint64_t received = 0;
  while (out && reader->Read(&chunk)) {
    if (!chunk.content_id().empty()) {
      content_id = chunk.content_id();
      total = chunk.total_bytes();
    }
    received += chunk.data().size();
    out.write(chunk.data().data(), static_cast<std::streamsize>(chunk.data().size()));
    progress.Update(received, total, FormatBytes(total));
  }
  out.close();
  if (!out) {
    context.TryCancel();
    (void)reader->Finish();  // it was ended here
    return absl::UnavailableError(absl::StrCat(path, " cannot be written; is the disk full?"));
  }
  ENIGMA_RETURN_IF_ERROR(client.Explain(reader->Finish()));
  return content_id;
}

absl::Status CheckContent(const std::string& path, const std::string& name, const std::string& content_id) {
  ENIGMA_ASSIGN_OR_RETURN(const auto file, engine::GgufFile::Open(path));
  ENIGMA_ASSIGN_OR_RETURN(const engine::Manifest manifest, engine::BuildManifest(*file, name));
  if (engine::HexOf(manifest.id) == content_id) return absl::OkStatus();
  return absl::DataLossError(absl::StrCat("what arrived of '", name, "' is not its content; fetch it again"));
}

}  // namespace

absl::Status FetchModelFile(ClusterClient& client, const std::string& name, ModelPart part, const std::string& path) {
  v1::ExportModelRequest request;
  request.set_name(name);
  request.set_encoder(part == ModelPart::kEncoder);
  const absl::StatusOr<std::string> content_id = Receive(client, request, path);
  absl::Status status = content_id.status();
  if (status.ok()) status = CheckContent(path, name, *content_id);
  if (!status.ok()) std::remove(path.c_str());
  return status;
}

}  // namespace enigma::cli
