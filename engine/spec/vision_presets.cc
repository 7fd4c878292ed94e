#include "engine/spec/vision_presets.h"

#include <array>

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>

#include "base/text.h"

namespace enigma::engine {
namespace {

constexpr std::array kVisionPresets = {
    // name, channels, layers, hidden, heads, ffn
    VisionPreset{"nano", 128, 3, 128, 4, 256},
    VisionPreset{"micro", 128, 4, 128, 4, 352},
    VisionPreset{"tiny", 128, 4, 192, 6, 512},
    VisionPreset{"small", 128, 6, 256, 8, 704},
};

constexpr std::array<uint32_t, 3> kImageSizes = {32, 64, 128};
constexpr uint32_t kPatchesOfASide = 8;
constexpr uint32_t kPatchesJoined = 2;  // of a side, to one row of the prefix

}  // namespace

std::span<const VisionPreset> VisionPresets() { return kVisionPresets; }

absl::StatusOr<VisionPreset> FindVisionPreset(std::string_view name) {
  std::string known;
  for (const VisionPreset& preset : kVisionPresets) {
    if (name == preset.name) return preset;
    absl::StrAppend(&known, known.empty() ? "" : ", ", preset.name);
  }
  return absl::NotFoundError(
      absl::StrCat("there is no image encoder for the size \"", ToAbsl(name), "\"; there are those for ", known));
}

absl::Status CheckImageSize(uint32_t image_size) {
  for (const uint32_t known : kImageSizes) {
    if (image_size == known) return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat(image_size, " pixels: pictures may have 32, 64 or 128 a side"));
}

VisionSpec SpecOfVisionPreset(const VisionPreset& preset, uint32_t image_size, uint32_t output) {
  VisionSpec spec;
  spec.image_size = image_size;
  uint32_t channels = preset.channels;
  for (uint32_t side = image_size; side > kPatchesOfASide; side /= 2) {
    spec.stem.insert(spec.stem.begin(), channels);
    channels /= 2;
  }
  spec.hidden = preset.hidden;
  spec.ffn = preset.ffn;
  spec.heads = preset.heads;
  spec.layers = preset.layers;
  spec.merge = kPatchesJoined;
  spec.output = output;
  // Mid-grey is 0, and what photographs vary by is about 1.
  spec.mean = {0.5F, 0.5F, 0.5F};
  spec.deviation = {0.25F, 0.25F, 0.25F};
  return spec;
}

double VisionTrainingFlops(const VisionSpec& spec) {
  const double patches = spec.patches(), hidden = spec.hidden, output = spec.output;
  double side = spec.image_size, channels = 3;
  double multiplied = 0;  // weights, each by its rows
  for (const uint32_t made : spec.stem) {
    side /= 2;
    multiplied += side * side * 9 * channels * made;
    channels = made;
  }
  const double layer = 4 * hidden * hidden + 3 * hidden * spec.ffn;
  const double joined = double{1} * spec.merge * spec.merge * hidden;
  multiplied += patches * (channels * hidden + spec.layers * layer);
  multiplied += spec.prefix() * (joined * output + output * output);
  return 6 * multiplied + 12.0 * spec.layers * hidden * patches * patches;
}

}  // namespace enigma::engine
