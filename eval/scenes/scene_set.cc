#include "eval/scenes/scene_set.h"

#include <filesystem>
#include <fstream>
#include <span>
#include <string>
#include <system_error>

#include <absl/strings/str_cat.h>
#include <absl/strings/str_format.h>
#include <nlohmann/json.hpp>

#include "base/status_macros.h"
#include "engine/image/encode_png.h"
#include "eval/scenes/scene_captions.h"
#include "eval/scenes/scene_picture.h"

namespace enigma::eval {
namespace {

namespace fs = std::filesystem;
using SceneJson = nlohmann::ordered_json;

SceneJson FactsOf(const Scene& scene) {
  SceneJson facts = {{"kind", NameOf(scene.kind)}, {"background", NameOf(scene.background)}};
  if (scene.kind == SceneKind::kPair) facts["relation"] = NameOf(scene.relation);
  facts["count"] = scene.figures.size();
  facts["figures"] = SceneJson::array();
  for (const Figure& figure : scene.figures) {
    facts["figures"].push_back({{"shape", NameOf(figure.shape)},
                                {"colour", NameOf(figure.colour)},
                                {"size", figure.is_large ? "large" : "small"},
                                {"x", figure.x},
                                {"y", figure.y},
                                {"radius", figure.radius}});
  }
  return facts;
}

// OK where there is no such folder, and where it holds nothing but what is `allowed`.
absl::Status CheckHoldsNothing(const fs::path& folder, const char* allowed) {
  std::error_code error;
  fs::directory_iterator entry(folder, error);
  if (error == std::errc::no_such_file_or_directory) return absl::OkStatus();
  for (; !error && entry != fs::directory_iterator(); entry.increment(error)) {
    if (entry->path().filename() == allowed) continue;
    return absl::AlreadyExistsError(absl::StrCat(folder.string(), " holds ", entry->path().filename().string(),
                                                 " already; name a folder that is new or empty"));
  }
  if (error) return absl::InvalidArgumentError(absl::StrCat(folder.string(), " cannot be read: ", error.message()));
  return absl::OkStatus();
}

// Looks first: what is refused stays as it was.
absl::Status MakeFolder(const fs::path& folder) {
  ENIGMA_RETURN_IF_ERROR(CheckHoldsNothing(folder, "images"));
  ENIGMA_RETURN_IF_ERROR(CheckHoldsNothing(folder / "images", ""));
  std::error_code error;
  fs::create_directories(folder / "images", error);
  if (!error) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(folder.string(), " cannot be made: ", error.message()));
}

absl::Status CannotBeWritten(const fs::path& path) {
  return absl::ResourceExhaustedError(absl::StrCat(path.string(), " cannot be written; is the disk full?"));
}

absl::Status WriteWhole(const fs::path& path, std::span<const char> bytes) {
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  out.write(bytes.data(), std::ssize(bytes));
  out.close();
  return out ? absl::OkStatus() : CannotBeWritten(path);
}

}  // namespace

std::string SceneLine(const Scene& scene, const std::string& image, const std::string& caption) {
  return SceneJson{
      {"image", image}, {"caption", caption}, {"captions", SceneCaptions(scene)}, {"facts", FactsOf(scene)}}
      .dump();
}

absl::StatusOr<uint64_t> WriteSceneSet(const SceneSetOptions& options) {
  const fs::path folder = options.folder, captions = folder / "captions.jsonl",
                 partial = captions.string() + ".partial";
  ENIGMA_RETURN_IF_ERROR(MakeFolder(folder));
  uint64_t bytes = 0;
  std::ofstream lines(partial, std::ios::binary | std::ios::trunc);
  for (uint64_t number = 0; number < options.count; ++number) {
    const Scene scene = MakeScene(options.seed, number, options.held_out);
    const std::string image = absl::StrFormat("images/%06d.png", number);
    ENIGMA_ASSIGN_OR_RETURN(const auto png, engine::EncodePng(DrawPicture(scene, options.size)));
    ENIGMA_RETURN_IF_ERROR(WriteWhole(folder / image, {reinterpret_cast<const char*>(png.data()), png.size()}));
    const std::string line = SceneLine(scene, image, ChosenCaption(scene, options.seed, number)) + "\n";
    if (!lines.write(line.data(), std::ssize(line))) return CannotBeWritten(partial);
    bytes += png.size() + line.size();
    if (options.progress) options.progress(number + 1);
  }
  lines.close();
  std::error_code error;
  if (lines) fs::rename(partial, captions, error);
  if (!lines || error) return CannotBeWritten(captions);
  return bytes;
}

}  // namespace enigma::eval
