#include "coordinator/operations/export_model.h"

#include <algorithm>
#include <fstream>
#include <string>

#include <absl/strings/str_cat.h>

#include "base/status_macros.h"

namespace enigma::coordinator {
namespace {

constexpr uint64_t kExportChunkBytes = uint64_t{1} << 20;

}  // namespace

absl::Status ExportModel(ControlPlane& plane, std::string_view name, bool encoder,
                         const std::function<bool(const enigma::v1::ExportModelChunk& chunk)>& send) {
  ENIGMA_ASSIGN_OR_RETURN(const ModelPtr model, plane.models.Find(name));
  // What a file that changes meanwhile has by then is not the model's.
  const auto check = [&] { return (encoder ? plane.files.OpenEncoder(*model) : plane.files.Open(*model)).status(); };
  ENIGMA_RETURN_IF_ERROR(check());
  const std::string& path = encoder ? model->encoder->path : model->path;
  const uint64_t bytes = encoder ? model->encoder->file_bytes : model->file_bytes;
  std::ifstream in(path, std::ios::binary);
  enigma::v1::ExportModelChunk chunk;
  chunk.set_total_bytes(bytes);
  chunk.set_content_id(engine::HexOf((encoder ? model->encoder->manifest : model->manifest).id));
  for (uint64_t sent = 0; sent < bytes;) {
    std::string& data = *chunk.mutable_data();
    data.resize(std::min(kExportChunkBytes, bytes - sent));
    if (!in.read(data.data(), static_cast<std::streamsize>(data.size()))) {
      return absl::FailedPreconditionError(absl::StrCat(path, ": cannot be read beyond byte ", sent));
    }
    ENIGMA_RETURN_IF_ERROR(check());
    sent += data.size();
    if (!send(chunk)) return absl::CancelledError("the caller went away");
    chunk.Clear();
  }
  return absl::OkStatus();
}

}  // namespace enigma::coordinator
