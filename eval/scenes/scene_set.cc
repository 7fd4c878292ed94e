#include "eval/scenes/scene_set.h"

#include <filesystem>
#include <fstream>
#include <span>
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

absl::Status CheckFolder(const std::string& folder) {
  std::error_code error;
  fs::create_directories(fs::path(folder) / "images", error);
  if (error) return absl::InvalidArgumentError(absl::StrCat(folder, " cannot be made: ", error.message()));
  // "images" is empty, and alone.
  for (const fs::path& path : {fs::path(folder) / "images", fs::path(folder)}) {
    for (const auto& entry : fs::directory_iterator(path, error)) {
      if (entry.path().filename() == "images" && path == fs::path(folder)) continue;
      return absl::AlreadyExistsError(absl::StrCat(folder, " holds ", entry.path().filename().string(),
                                                   " already; name a folder that is new or empty"));
    }
    if (error) return absl::InvalidArgumentError(absl::StrCat(folder, " cannot be read: ", error.message()));
  }
  return absl::OkStatus();
}

absl::Status WriteWhole(const fs::path& path, std::span<const char> bytes) {
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  out.write(bytes.data(), std::ssize(bytes));
  out.close();
  if (out) return absl::OkStatus();
  return absl::ResourceExhaustedError(absl::StrCat(path.string(), " cannot be written; is the disk full?"));
}

}  // namespace

std::string SceneLine(const Scene& scene, const std::string& image, const std::string& caption) {
  return SceneJson{
      {"image", image}, {"caption", caption}, {"captions", SceneCaptions(scene)}, {"facts", FactsOf(scene)}}
      .dump();
}

absl::StatusOr<uint64_t> WriteSceneSet(const SceneSetOptions& options) {
  ENIGMA_RETURN_IF_ERROR(CheckFolder(options.folder));
  const fs::path folder = options.folder;
  uint64_t bytes = 0;
  std::string lines;
  for (uint64_t number = 0; number < options.count; ++number) {
    const Scene scene = MakeScene(options.seed, number, options.held_out);
    const std::string image = absl::StrFormat("images/%06d.png", number);
    ENIGMA_ASSIGN_OR_RETURN(const auto png, engine::EncodePng(DrawPicture(scene, options.size)));
    ENIGMA_RETURN_IF_ERROR(WriteWhole(folder / image, {reinterpret_cast<const char*>(png.data()), png.size()}));
    lines += SceneLine(scene, image, ChosenCaption(scene, options.seed, number)) + "\n";
    bytes += png.size();
    if (options.progress) options.progress(number + 1);
  }
  ENIGMA_RETURN_IF_ERROR(WriteWhole(folder / "captions.jsonl", lines));
  return bytes + lines.size();
}

}  // namespace enigma::eval
