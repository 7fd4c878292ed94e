#include "coordinator/operations/shipped_models.h"

#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <set>
#include <string_view>
#include <utility>

#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "coordinator/operations/import_model.h"
#include "coordinator/operations/use_specialists.h"
#include "telemetry/log.h"

namespace enigma::coordinator {
namespace {

constexpr std::string_view kModelEnding = ".gguf";
constexpr std::string_view kEncoderEnding = ".encoder.gguf";

// Of models without encoders, in the order of their names.
absl::StatusOr<std::set<std::string>> ModelFilesIn(const std::string& folder) {
  std::error_code error;
  std::set<std::string> paths;
  for (std::filesystem::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    const std::string path = entry->path().lexically_normal().string();  // as an import of it has it
    if (path.ends_with(kModelEnding) && !path.ends_with(kEncoderEnding)) paths.insert(path);
  }
  if (error) return absl::NotFoundError(absl::StrCat("models_folder: ", folder, ": ", error.message()));
  return paths;
}

bool IsStampOf(const std::string& path, uint64_t bytes, int64_t modified_ns) {
  const absl::StatusOr<FileStamp> stamp = StampOf(path);
  return stamp.ok() && stamp->bytes == bytes && stamp->modified_ns == modified_ns;
}

bool IsAsImported(const Model& model) {
  const std::optional<ImageEncoder>& encoder = model.encoder;
  return IsStampOf(model.path, model.file_bytes, model.modified_ns) &&
         (!encoder || IsStampOf(encoder->path, encoder->file_bytes, encoder->modified_ns));
}

void RegisterShipped(ControlPlane& plane, const std::string& path) {
  const std::string name = std::filesystem::path(path).stem().string();
  if (const absl::StatusOr<ModelPtr> taken = plane.models.Find(name); taken.ok()) {
    if ((*taken)->path != path) LogInfo("model {} is that of {}, and {} is left alone", name, (*taken)->path, path);
    if ((*taken)->path != path || IsAsImported(**taken)) return;
    // Somebody imported this very file, and a new version of the program has brought another one.
    if (const absl::Status removed = plane.models.Remove(name); !removed.ok()) {
      LogWarn("{} has changed since it was imported, and stays so: {}", path, std::string(removed.message()));
      return;
    }
  }
  const std::string encoder = path.substr(0, path.size() - kModelEnding.size()).append(kEncoderEnding);
  std::error_code error;  // then there is none
  const ModelImport import{.path = path,
                           .encoder = std::filesystem::exists(encoder, error) ? encoder : "",
                           .name = name,
                           .replace = false,
                           .shipped = true};
  if (const absl::Status imported = ImportModel(plane, import).status(); !imported.ok()) {
    LogWarn("model {} is left out: {}: {}", name, path, std::string(imported.message()));
  }
}

absl::StatusOr<std::string> ReadRegistryFile(const std::string& path) {
  ENIGMA_ASSIGN_OR_RETURN(const FileStamp stamp, StampOf(path));
  if (stamp.bytes > Specialists::kBytesMax) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": ", stamp.bytes, " bytes are more than ", Specialists::kBytesMax));
  }
  std::ifstream in(path, std::ios::binary);
  std::string text(std::istreambuf_iterator<char>(in), {});
  if (in.bad()) return absl::UnavailableError(absl::StrCat(path, ": cannot be read"));
  return text;
}

}  // namespace

absl::StatusOr<size_t> RegisterShippedModels(ControlPlane& plane, const std::string& folder) {
  ENIGMA_ASSIGN_OR_RETURN(const std::set<std::string> paths, ModelFilesIn(folder));
  for (const std::string& path : paths) RegisterShipped(plane, path);
  return paths.size();
}

absl::Status ForgetDemandForAbsent(ControlPlane& plane) {
  for (const WantedPlacement& wanted : plane.wanted.List()) {
    if (!wanted.options.on_demand() || plane.models.Find(wanted.model).ok()) continue;
    ENIGMA_RETURN_IF_ERROR(plane.wanted.Remove(wanted.id));
  }
  return absl::OkStatus();
}

void UseShippedSpecialists(ControlPlane& plane, SpecialistRegistry& registry, const std::string& folder) {
  const std::string path = folder + "/specialists.yaml";
  std::error_code error;
  if (!std::filesystem::exists(path, error)) return;
  absl::StatusOr<std::string> text = ReadRegistryFile(path);
  const absl::Status used = text.ok() ? UseWhatIsThere(plane, registry, *text, path) : text.status();
  if (used.ok()) return;
  LogWarn("the specialists that come with the program are not in force: {}", std::string(used.message()));
  registry.Reject(used);
}

}  // namespace enigma::coordinator
