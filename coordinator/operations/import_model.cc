#include "coordinator/operations/import_model.h"

#include <filesystem>
#include <map>
#include <memory>
#include <utility>

#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "coordinator/operations/remove_model.h"
#include "telemetry/log.h"

namespace enigma::coordinator {
namespace {

uint64_t ElementsOf(const engine::TensorInfo& tensor) {
  uint64_t elements = 1;
  for (const uint64_t extent : tensor.shape) elements *= extent;
  return elements;
}

// The type of most elements.
std::string QuantisationOf(const engine::GgufFile& file) {
  std::map<engine::DType, uint64_t> elements;
  for (const engine::TensorInfo& tensor : file.tensors()) elements[tensor.type] += ElementsOf(tensor);
  engine::DType most = engine::DType::kF32;
  uint64_t count = 0;
  for (const auto& [type, size] : elements) {
    if (size > count) std::tie(most, count) = std::pair(type, size);
  }
  return engine::Traits(most).name;
}

absl::Status CheckUnchanged(const std::string& path, const FileStamp& before) {
  ENIGMA_ASSIGN_OR_RETURN(const FileStamp after, StampOf(path));
  if (after.bytes == before.bytes && after.modified_ns == before.modified_ns) return absl::OkStatus();
  return absl::AbortedError(absl::StrCat(path, " changed while it was read; import it again once it is complete"));
}

}  // namespace

absl::StatusOr<ModelPtr> ImportModel(ControlPlane& plane, const std::string& path, std::string name, bool replace,
                                     const engine::HashProgress& progress) {
  std::error_code error;
  const std::filesystem::path absolute = std::filesystem::absolute(path, error);
  if (error || path.empty()) return absl::InvalidArgumentError(absl::StrCat("'", path, "' is not a path"));
  auto model = std::make_shared<Model>();
  model->path = absolute.lexically_normal().string();
  model->name = name.empty() ? absolute.stem().string() : std::move(name);
  ENIGMA_RETURN_IF_ERROR(CheckModelName(model->name));

  ENIGMA_ASSIGN_OR_RETURN(const FileStamp stamp, StampOf(model->path));
  ENIGMA_ASSIGN_OR_RETURN(const std::unique_ptr<engine::GgufFile> file, engine::GgufFile::Open(model->path));
  ENIGMA_ASSIGN_OR_RETURN(const engine::ModelSpec spec, engine::ModelSpecFromGguf(*file));
  ENIGMA_RETURN_IF_ERROR(engine::Tokenizer::FromGguf(file->metadata()).status());
  ENIGMA_ASSIGN_OR_RETURN(model->manifest, engine::BuildManifest(*file, model->name, progress));
  ENIGMA_RETURN_IF_ERROR(CheckUnchanged(model->path, stamp));

  model->file_bytes = stamp.bytes;
  model->modified_ns = stamp.modified_ns;
  model->architecture = spec.architecture;
  model->quantisation = QuantisationOf(*file);
  for (const engine::TensorInfo& tensor : file->tensors()) model->parameters += ElementsOf(tensor);
  model->layers = spec.layer_count();
  model->hidden = spec.hidden;
  model->context = spec.context;
  model->vocab = spec.vocab;
  model->tied_embeddings = spec.tied_embeddings;
  model->manifest_json = engine::ManifestToJson(model->manifest);
  const absl::StatusOr<ModelPtr> known = plane.models.Find(model->name);
  if (replace && known.ok() && (*known)->manifest.id != model->manifest.id) {
    ENIGMA_RETURN_IF_ERROR(CheckNotPlaced(plane, model->name));
  }
  ENIGMA_RETURN_IF_ERROR(plane.models.Add(model, replace));
  plane.files.Forget(model->name);
  LogInfo("model {} imported from {}: {} {}, {} layers", model->name, model->path, model->architecture,
          model->quantisation, model->layers);
  return model;
}

}  // namespace enigma::coordinator
