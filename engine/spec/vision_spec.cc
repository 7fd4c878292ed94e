#include "engine/spec/vision_spec.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <utility>

#include <absl/container/flat_hash_set.h>
#include <absl/status/status.h>
#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "base/text.h"
#include "engine/spec/gguf_cursor.h"

namespace enigma::engine {
namespace {

constexpr char kVisionPrefix[] = "enigma.vision.";
constexpr uint64_t kVisionWidthMax = 16384;
constexpr uint64_t kVisionLayersMax = 256;
constexpr uint32_t kVisionPatchesMax = 4096;
constexpr size_t kStemMax = 6;

std::string VisionKey(const char* suffix) { return std::string(kVisionPrefix) + suffix; }

absl::Status WrongVision(const char* suffix, const std::string& complaint) {
  return absl::InvalidArgumentError(absl::StrCat(VisionKey(suffix), ": ", complaint));
}

absl::Status CheckVisionRange(const char* suffix, uint64_t value, uint64_t most) {
  if (value >= 1 && value <= most) return absl::OkStatus();
  return WrongVision(suffix, absl::StrCat(value, " is outside [1, ", most, "]"));
}

absl::Status ReadVisionSize(const GgufMetadata& metadata, const char* suffix, uint64_t most, uint32_t& size) {
  ENIGMA_ASSIGN_OR_RETURN(const uint64_t value, metadata.Uint(VisionKey(suffix)));
  ENIGMA_RETURN_IF_ERROR(CheckVisionRange(suffix, value, most));
  size = static_cast<uint32_t>(value);
  return absl::OkStatus();
}

absl::Status ReadThreeFloats(const GgufMetadata& metadata, const char* suffix, std::array<float, 3>& values) {
  ENIGMA_ASSIGN_OR_RETURN(const GgufArray* array, metadata.Array(VisionKey(suffix)));
  if (array->floats.size() != 3) return WrongVision(suffix, "it does not hold three floats");
  for (size_t i = 0; i < 3; ++i) values[i] = static_cast<float>(array->floats[i]);
  return absl::OkStatus();
}

absl::Status ReadStem(const GgufMetadata& metadata, std::vector<uint32_t>& stem) {
  ENIGMA_ASSIGN_OR_RETURN(const GgufArray* array, metadata.Array(VisionKey("stem_channels")));
  if (array->integers.empty() || array->integers.size() > kStemMax) {
    return WrongVision("stem_channels",
                       absl::StrCat("it holds ", array->integers.size(), " integers, not 1 to ", kStemMax));
  }
  for (const int64_t channels : array->integers) {
    if (channels < 0) return WrongVision("stem_channels", absl::StrCat(channels, " is below 1"));
    ENIGMA_RETURN_IF_ERROR(CheckVisionRange("stem_channels", static_cast<uint64_t>(channels), kVisionWidthMax));
    stem.push_back(static_cast<uint32_t>(channels));
  }
  return absl::OkStatus();
}

std::unique_ptr<GgufArray> FloatArray(const std::array<float, 3>& values) {
  auto array = std::make_unique<GgufArray>();
  array->floats.assign(values.begin(), values.end());
  return array;
}

// A file of a few megabytes can ask for a thousand times as much to work in: widths alone do not bound it.
absl::Status CheckVisionMemory(const VisionSpec& spec) {
  const uint64_t patches = spec.patches();
  const std::pair<const char*, uint64_t> blocks[] = {
      {"stem_channels", std::max(StemMapFloats(spec), GatheredFloats(spec))},
      {"embedding_length", patches * 3 * spec.hidden},
      {"feed_forward_length", patches * 2 * spec.ffn},
      {"projection_dim", uint64_t{spec.prefix()} * spec.output},
  };
  for (const auto& [suffix, floats] : blocks) {
    if (floats <= kVisionFloatsMax) continue;
    return WrongVision(suffix, absl::StrCat("with an image_size of ", spec.image_size, " it takes ", floats,
                                            " floats at once; at most ", kVisionFloatsMax, " are taken"));
  }
  return absl::OkStatus();
}

absl::StatusOr<VisionSpec> ReadVisionSpec(const GgufMetadata& metadata) {
  VisionSpec spec;
  spec.name = metadata.StringOr("general.name", "");
  ENIGMA_RETURN_IF_ERROR(ReadVisionSize(metadata, "image_size", kVisionWidthMax, spec.image_size));
  ENIGMA_RETURN_IF_ERROR(ReadStem(metadata, spec.stem));
  ENIGMA_RETURN_IF_ERROR(ReadVisionSize(metadata, "embedding_length", kVisionWidthMax, spec.hidden));
  ENIGMA_RETURN_IF_ERROR(ReadVisionSize(metadata, "feed_forward_length", kVisionWidthMax, spec.ffn));
  ENIGMA_RETURN_IF_ERROR(ReadVisionSize(metadata, "attention.head_count", kVisionWidthMax, spec.heads));
  ENIGMA_RETURN_IF_ERROR(ReadVisionSize(metadata, "block_count", kVisionLayersMax, spec.layers));
  ENIGMA_RETURN_IF_ERROR(ReadVisionSize(metadata, "spatial_merge_size", kVisionWidthMax, spec.merge));
  ENIGMA_RETURN_IF_ERROR(ReadVisionSize(metadata, "projection_dim", kVisionWidthMax, spec.output));
  ENIGMA_ASSIGN_OR_RETURN(const double epsilon, metadata.Float(VisionKey("attention.layer_norm_rms_epsilon")));
  spec.norm_epsilon = static_cast<float>(epsilon);
  ENIGMA_RETURN_IF_ERROR(ReadThreeFloats(metadata, "image_mean", spec.mean));
  ENIGMA_RETURN_IF_ERROR(ReadThreeFloats(metadata, "image_std", spec.deviation));
  ENIGMA_RETURN_IF_ERROR(CheckVisionSpec(spec));
  return spec;
}

absl::Status CheckVisionTensors(const GgufFile& file, const VisionSpec& spec) {
  absl::flat_hash_set<std::string> expected;
  for (const TensorPlan& plan : VisionTensors(spec)) {
    const TensorInfo* tensor = file.FindTensor(plan.name);
    if (tensor == nullptr) return absl::NotFoundError(absl::StrCat("tensor '", plan.name, "' is missing"));
    if (tensor->shape != plan.shape) {
      return absl::InvalidArgumentError(absl::StrCat("tensor '", plan.name, "' at byte ", tensor->offset,
                                                     " has another shape than the metadata say"));
    }
    expected.insert(plan.name);
  }
  for (const TensorInfo& tensor : file.tensors()) {
    if (expected.contains(tensor.name)) continue;
    return absl::UnimplementedError(
        absl::StrCat("tensor ", QuotedName(tensor.name), " is none that an image encoder is known to have"));
  }
  return absl::OkStatus();
}

}  // namespace

uint64_t StemMapFloats(const VisionSpec& spec) {
  uint64_t side = spec.image_size, floats = 3 * side * side;
  for (const uint32_t channels : spec.stem) {
    side /= 2;
    floats = std::max(floats, side * side * channels);
  }
  return floats;
}

uint64_t GatheredFloats(const VisionSpec& spec) {
  uint64_t side = spec.image_size, channels = 3, floats = uint64_t{spec.patches()} * spec.hidden;
  for (const uint32_t made : spec.stem) {
    side /= 2;
    floats = std::max(floats, side * side * 9 * channels);
    channels = made;
  }
  return floats;
}

absl::Status CheckVisionSpec(const VisionSpec& spec) {
  if (spec.stem.empty() || spec.stem.size() > kStemMax) return WrongVision("stem_channels", "there are 1 to 6");
  const uint32_t shrinking = 1U << spec.stem.size();
  if (spec.image_size == 0 || spec.image_size % shrinking != 0) {
    return WrongVision("image_size", absl::StrCat(spec.image_size, " is no multiple of ", shrinking,
                                                  ", by which the convolutions shrink it"));
  }
  if (uint64_t{spec.grid()} * spec.grid() > kVisionPatchesMax) {
    return WrongVision("image_size",
                       absl::StrCat(spec.grid(), " x ", spec.grid(), " patches are more than ", kVisionPatchesMax));
  }
  if (spec.merge == 0 || spec.grid() % spec.merge != 0) {
    return WrongVision("spatial_merge_size", absl::StrCat(spec.merge, " does not divide ", spec.grid(), " patches"));
  }
  if (spec.heads == 0 || spec.hidden % spec.heads != 0 || spec.head_dim() % 8 != 0 || spec.head_dim() < 8 ||
      spec.head_dim() > 256) {
    return WrongVision("attention.head_count", absl::StrCat(spec.heads, " heads do not share a width of ", spec.hidden,
                                                            " in multiples of 8 up to 256"));
  }
  if (!(spec.norm_epsilon > 0 && spec.norm_epsilon < 1)) {
    return WrongVision("attention.layer_norm_rms_epsilon", "it is not between 0 and 1");
  }
  for (size_t c = 0; c < 3; ++c) {
    if (!std::isfinite(spec.mean[c])) return WrongVision("image_mean", "it is not finite");
    if (!(spec.deviation[c] > 0 && std::isfinite(spec.deviation[c])))
      return WrongVision("image_std", "it is not above 0");
  }
  return CheckVisionMemory(spec);
}

std::vector<TensorPlan> VisionTensors(const VisionSpec& spec) {
  std::vector<TensorPlan> tensors;
  const auto add = [&tensors](std::string name, std::vector<uint64_t> shape) {
    tensors.push_back({std::move(name), DType::kF32, std::move(shape)});
  };
  uint64_t channels = 3;
  for (size_t i = 0; i < spec.stem.size(); ++i) {
    add(absl::StrCat("v.stem.", i, ".weight"), {9 * channels, spec.stem[i]});
    add(absl::StrCat("v.stem.", i, ".bias"), {spec.stem[i]});
    channels = spec.stem[i];
  }
  add("v.patch_embd.weight", {channels, spec.hidden});
  add("v.patch_embd.bias", {spec.hidden});
  add("v.position_embd.weight", {spec.hidden, spec.patches()});
  for (uint32_t layer = 0; layer < spec.layers; ++layer) {
    const std::string block = absl::StrCat("v.blk.", layer, ".");
    add(block + "attn_norm.weight", {spec.hidden});
    for (const char* name : {"attn_q", "attn_k", "attn_v", "attn_output"}) {
      add(absl::StrCat(block, name, ".weight"), {spec.hidden, spec.hidden});
    }
    add(block + "ffn_norm.weight", {spec.hidden});
    add(block + "ffn_gate.weight", {spec.hidden, spec.ffn});
    add(block + "ffn_up.weight", {spec.hidden, spec.ffn});
    add(block + "ffn_down.weight", {spec.ffn, spec.hidden});
  }
  add("v.post_norm.weight", {spec.hidden});
  add("mm.0.weight", {uint64_t{spec.merge} * spec.merge * spec.hidden, spec.output});
  add("mm.0.bias", {spec.output});
  add("mm.2.weight", {spec.output, spec.output});
  add("mm.2.bias", {spec.output});
  return tensors;
}

uint64_t VisionParameterCount(const VisionSpec& spec) {
  uint64_t count = 0;
  for (const TensorPlan& tensor : VisionTensors(spec)) {
    count += tensor.shape[0] * (tensor.shape.size() > 1 ? tensor.shape[1] : 1);
  }
  return count;
}

GgufMetadata VisionMetadata(const VisionSpec& spec) {
  GgufMetadata metadata;
  metadata.Set("general.architecture", std::string(kVisionArchitecture));
  metadata.Set("general.type", std::string("mmproj"));
  if (!spec.name.empty()) metadata.Set("general.name", spec.name);
  const auto set = [&metadata](const char* suffix, uint64_t value) { metadata.Set(VisionKey(suffix), value); };
  set("image_size", spec.image_size);
  auto stem = std::make_unique<GgufArray>();
  stem->integers.assign(spec.stem.begin(), spec.stem.end());
  metadata.Set(VisionKey("stem_channels"), std::move(stem));
  set("embedding_length", spec.hidden);
  set("feed_forward_length", spec.ffn);
  set("attention.head_count", spec.heads);
  set("block_count", spec.layers);
  set("spatial_merge_size", spec.merge);
  set("projection_dim", spec.output);
  metadata.Set(VisionKey("attention.layer_norm_rms_epsilon"), static_cast<double>(spec.norm_epsilon));
  metadata.Set(VisionKey("image_mean"), FloatArray(spec.mean));
  metadata.Set(VisionKey("image_std"), FloatArray(spec.deviation));
  return metadata;
}

absl::StatusOr<VisionSpec> VisionSpecFromGguf(const GgufFile& file) {
  const auto named = [&file](const absl::Status& status) {
    return absl::Status(status.code(), absl::StrCat(file.path(), ": ", status.message()));
  };
  const std::string architecture = file.metadata().StringOr("general.architecture", "");
  if (architecture != kVisionArchitecture) {
    return absl::InvalidArgumentError(absl::StrCat(file.path(), ": its architecture is ", QuotedName(architecture),
                                                   ", not that of an image encoder, '", kVisionArchitecture, "'"));
  }
  auto spec = ReadVisionSpec(file.metadata());
  if (!spec.ok()) return named(spec.status());
  const absl::Status tensors = CheckVisionTensors(file, *spec);
  if (!tensors.ok()) return named(tensors);
  return spec;
}

}  // namespace enigma::engine
