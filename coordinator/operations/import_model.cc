#include "coordinator/operations/import_model.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include <absl/strings/str_cat.h>
#include <absl/synchronization/mutex.h>

#include "base/status_macros.h"
#include "coordinator/operations/absolute_path.h"
#include "coordinator/operations/remove_model.h"
#include "coordinator/operations/unload_model.h"
#include "coordinator/state/picture_rows.h"
#include "engine/spec/vision_spec.h"
#include "telemetry/log.h"

namespace enigma::coordinator {
namespace {

// Requests may have a model loaded again as soon as it is unloaded.
constexpr int kUnloadsMax = 10;

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

uint64_t ParametersOf(const engine::GgufFile& file) {
  uint64_t parameters = 0;
  for (const engine::TensorInfo& tensor : file.tensors()) parameters += ElementsOf(tensor);
  return parameters;
}

// A file has one path, however it was given.
absl::StatusOr<std::string> NormalPath(const std::string& path) {
  const std::filesystem::path absolute = AbsolutePath(path);
  if (!absolute.is_absolute()) return absl::InvalidArgumentError(absl::StrCat("'", path, "' is not a path"));
  return absolute.lexically_normal().string();
}

absl::Status ReadDecoder(Model& model, const engine::HashProgress& progress) {
  ENIGMA_ASSIGN_OR_RETURN(const FileStamp stamp, StampOf(model.path));
  ENIGMA_ASSIGN_OR_RETURN(const std::unique_ptr<engine::GgufFile> file, engine::GgufFile::Open(model.path));
  if (file->metadata().StringOr("general.architecture", "") == engine::kVisionArchitecture) {
    return absl::InvalidArgumentError(
        absl::StrCat(model.path, " is an image encoder, which goes before a decoder: `enigma models import ",
                     "DECODER.gguf --encoder ", model.path, "`"));
  }
  ENIGMA_ASSIGN_OR_RETURN(const engine::ModelSpec spec, engine::ModelSpecFromGguf(*file));
  ENIGMA_RETURN_IF_ERROR(engine::Tokenizer::FromGguf(file->metadata()).status());
  ENIGMA_ASSIGN_OR_RETURN(model.manifest, engine::BuildManifest(*file, model.name, progress));
  ENIGMA_RETURN_IF_ERROR(CheckUnchanged(model.path, stamp));
  model.file_bytes = stamp.bytes;
  model.modified_ns = stamp.modified_ns;
  model.architecture = spec.architecture;
  model.quantisation = QuantisationOf(*file);
  model.parameters = ParametersOf(*file);
  model.layers = spec.layer_count();
  model.hidden = spec.hidden;
  model.context = spec.context;
  model.vocab = spec.vocab;
  model.tied_embeddings = spec.tied_embeddings;
  model.manifest_json = engine::ManifestToJson(model.manifest);
  return absl::OkStatus();
}

// `model`: its decoder has been read.
absl::StatusOr<ImageEncoder> ReadEncoder(const Model& model, std::string path, const engine::HashProgress& progress) {
  ImageEncoder encoder;
  encoder.path = std::move(path);
  ENIGMA_ASSIGN_OR_RETURN(const FileStamp stamp, StampOf(encoder.path));
  ENIGMA_ASSIGN_OR_RETURN(const std::unique_ptr<engine::GgufFile> file, engine::GgufFile::Open(encoder.path));
  ENIGMA_ASSIGN_OR_RETURN(const engine::VisionSpec spec, engine::VisionSpecFromGguf(*file));
  if (spec.output != model.hidden) {
    return absl::InvalidArgumentError(absl::StrCat(encoder.path, " was trained for a model ", spec.output,
                                                   " wide, and ", model.path, " is ", model.hidden,
                                                   ": they do not go together"));
  }
  if (spec.prefix() >= model.context) {
    return absl::InvalidArgumentError(absl::StrCat(encoder.path, " makes ", spec.prefix(), " rows of a picture, and ",
                                                   model.path, " reads ", model.context, " at most"));
  }
  if (RowBytes(model, spec.prefix()) > kRowBytesMost) {
    return absl::InvalidArgumentError(absl::StrCat(encoder.path, " makes ", spec.prefix(), " rows of a picture, ",
                                                   RowBytes(model, spec.prefix()), " bytes; a request may have ",
                                                   kRowBytesMost));
  }
  ENIGMA_ASSIGN_OR_RETURN(encoder.manifest, engine::BuildManifest(*file, model.name, progress));
  ENIGMA_RETURN_IF_ERROR(CheckUnchanged(encoder.path, stamp));
  encoder.file_bytes = stamp.bytes;
  encoder.modified_ns = stamp.modified_ns;
  encoder.parameters = ParametersOf(*file);
  encoder.image_size = spec.image_size;
  encoder.rows = spec.prefix();
  encoder.manifest_json = engine::ManifestToJson(encoder.manifest);
  return encoder;
}

// Of `before` bytes in front of what is hashed and `after` behind it, all counted.
engine::HashProgress PartOf(const engine::HashProgress& progress, uint64_t before, uint64_t after) {
  if (!progress) return nullptr;
  return [&progress, before, after](uint64_t hashed, uint64_t total) {
    return progress(before + hashed, before + total + after);
  };
}

absl::Status ReadFiles(Model& model, const std::string& encoder, const engine::HashProgress& progress) {
  if (encoder.empty()) return ReadDecoder(model, progress);
  ENIGMA_ASSIGN_OR_RETURN(std::string path, NormalPath(encoder));
  ENIGMA_ASSIGN_OR_RETURN(const FileStamp stamp, StampOf(path));
  ENIGMA_RETURN_IF_ERROR(ReadDecoder(model, PartOf(progress, 0, stamp.bytes)));
  ENIGMA_ASSIGN_OR_RETURN(model.encoder, ReadEncoder(model, std::move(path), PartOf(progress, model.file_bytes, 0)));
  return absl::OkStatus();
}

// By an operator.
bool IsKeptInService(const ControlPlane& plane, std::string_view name) {
  const std::vector<Replica> replicas = plane.replicas.OfModel(name);
  const bool is_coming = std::any_of(replicas.begin(), replicas.end(), [](const Replica& replica) {
    return replica.state == ReplicaState::kLoading && !replica.on_demand;
  });
  if (is_coming) return true;  // it is wanted from when it is ready on
  const std::vector<WantedPlacement> wanted = plane.wanted.List();
  return std::any_of(wanted.begin(), wanted.end(), [&](const WantedPlacement& placement) {
    return placement.model == name && !placement.options.on_demand();
  });
}

// Its replicas end, and what an operator wants of it stays wanted: whoever keeps it in service places the new content,
// and loads under way begin anew with it.
absl::Status TakePlaceInService(ControlPlane& plane, const ModelPtr& model) {
  absl::MutexLock lock(&plane.placement_mutex);
  // First what may be refused: then nothing has ended.
  ENIGMA_RETURN_IF_ERROR(plane.models.Add(model, /*replace=*/true));
  const std::string reason = absl::StrCat("'", model->name, "' is other content from now on, and is loaded anew");
  for (const Replica& replica : plane.replicas.OfModel(model->name)) {
    plane.replicas.MarkFailed(replica.id, reason);
    plane.dispatcher.RemoveReplica(replica.id, absl::AbortedError(reason));
  }
  return absl::OkStatus();
}

// In the place of one that came with the program, which goes out of service where only requests had it loaded. Until
// the name has changed hands nothing loads the one before again.
absl::Status TakeShippedName(ControlPlane& plane, const ModelPtr& model, bool also_in_service) {
  absl::Status placed;
  for (int i = 0; i < kUnloadsMax; ++i) {
    {
      absl::MutexLock lock(&plane.placement_mutex);
      placed = CheckNotPlaced(plane, model->name);
      if (placed.ok()) return plane.models.Add(model, /*replace=*/true);
    }
    if (IsKeptInService(plane, model->name)) {
      return also_in_service ? TakePlaceInService(plane, model) : placed;
    }
    const absl::Status unloaded = UnloadModel(plane, model->name).status();
    // Somebody else may have unloaded it meanwhile.
    if (!unloaded.ok() && !absl::IsFailedPrecondition(unloaded)) return unloaded;
  }
  return placed;
}

}  // namespace

absl::StatusOr<ModelPtr> ImportModel(ControlPlane& plane, const ModelImport& import,
                                     const engine::HashProgress& progress) {
  auto model = std::make_shared<Model>();
  ENIGMA_ASSIGN_OR_RETURN(model->path, NormalPath(import.path));
  model->name = import.name.empty() ? std::filesystem::path(model->path).stem().string() : import.name;
  ENIGMA_RETURN_IF_ERROR(CheckModelName(model->name));
  ENIGMA_RETURN_IF_ERROR(ReadFiles(*model, import.encoder, progress));
  model->shipped = import.shipped;
  const absl::StatusOr<ModelPtr> known = plane.models.Find(model->name);
  const bool differs = known.ok() && (*known)->ContentId() != model->ContentId();
  if (differs && (*known)->shipped && !model->shipped) {
    ENIGMA_RETURN_IF_ERROR(TakeShippedName(plane, model, import.also_in_service));
  } else {
    if (import.replace && differs) ENIGMA_RETURN_IF_ERROR(CheckNotPlaced(plane, model->name));
    ENIGMA_RETURN_IF_ERROR(plane.models.Add(model, import.replace));
  }
  plane.files.Forget(model->name);
  LogInfo("model {} imported from {}: {} {}, {} layers{}", model->name, model->path, model->architecture,
          model->quantisation, model->layers, model->encoder ? ", and the encoder " + model->encoder->path : "");
  return model;
}

}  // namespace enigma::coordinator
