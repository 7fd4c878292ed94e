#include "engine/vision/vision_encoder.h"

#include <algorithm>
#include <cmath>
#include <new>
#include <string>
#include <utility>

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "engine/image/model_input.h"
#include "engine/kernels/rms_norm.h"
#include "engine/kernels/swiglu.h"
#include "engine/model/tensor_loading.h"
#include "engine/vision/image_rows.h"

namespace enigma::engine {
VisionEncoder::VisionEncoder(VisionSpec spec, ThreadPool& pool)
    : spec_(std::move(spec)),
      pool_(pool),
      gathered_(GatheredFloats(spec_)),
      maps_(StemMapFloats(spec_)),
      workspace_(spec_) {}

absl::StatusOr<VisionEncoder::Linear> VisionEncoder::LoadLinear(const WeightSource& weights, const std::string& name,
                                                                size_t inner, size_t outputs, ThreadPool& pool) {
  Linear linear;
  ENIGMA_ASSIGN_OR_RETURN(linear.product, LoadVisionProjection(weights, {name + ".weight"}, inner, pool));
  ENIGMA_ASSIGN_OR_RETURN(linear.bias, LoadVector(weights, name + ".bias", outputs));
  return linear;
}

absl::Status VisionEncoder::LoadEnds(const WeightSource& weights) {
  size_t channels = 3;
  for (size_t i = 0; i < spec_.stem.size(); ++i) {
    ENIGMA_ASSIGN_OR_RETURN(stem_.emplace_back(),
                            LoadLinear(weights, absl::StrCat("v.stem.", i), 9 * channels, spec_.stem[i], pool_));
    channels = spec_.stem[i];
  }
  ENIGMA_ASSIGN_OR_RETURN(patch_embedding_, LoadLinear(weights, "v.patch_embd", channels, spec_.hidden, pool_));
  ENIGMA_ASSIGN_OR_RETURN(positions_,
                          LoadVector(weights, "v.position_embd.weight", size_t{spec_.patches()} * spec_.hidden));
  ENIGMA_ASSIGN_OR_RETURN(final_norm_, LoadVector(weights, "v.post_norm.weight", spec_.hidden));
  const size_t merged = size_t{spec_.merge} * spec_.merge * spec_.hidden;
  ENIGMA_ASSIGN_OR_RETURN(projector_[0], LoadLinear(weights, "mm.0", merged, spec_.output, pool_));
  ENIGMA_ASSIGN_OR_RETURN(projector_[1], LoadLinear(weights, "mm.2", spec_.output, spec_.output, pool_));
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<VisionEncoder>> VisionEncoder::Load(const WeightSource& weights, ThreadPool& pool) {
  ENIGMA_ASSIGN_OR_RETURN(VisionSpec spec, VisionSpecFromGguf(weights.head()));
  try {
    std::unique_ptr<VisionEncoder> encoder(new VisionEncoder(std::move(spec), pool));
    ENIGMA_RETURN_IF_ERROR(encoder->LoadEnds(weights));
    for (uint32_t i = 0; i < encoder->spec_.layers; ++i) {
      ENIGMA_ASSIGN_OR_RETURN(encoder->layers_.emplace_back(), VisionLayer::Load(weights, encoder->spec_, i, pool));
    }
    return encoder;
  } catch (const std::bad_alloc&) {
    return absl::ResourceExhaustedError(
        absl::StrCat(weights.head().path(), ": the system refused memory while the image encoder was loaded"));
  }
}

void VisionEncoder::Apply(const Linear& linear, const float* x, size_t rows, size_t inner, float* y) {
  const size_t outputs = linear.bias.size();
  workspace_.activations.Set(x, rows, inner, inner, linear.product.needs_quantised(), pool_);
  linear.product.Apply(workspace_.activations, y, outputs, pool_);
  AddBias(y, outputs, linear.bias.data(), rows, outputs, pool_);
}

void VisionEncoder::RunStem(std::span<const float> input) {
  size_t side = spec_.image_size, channels = 3;
  InterleaveChannels(input.data(), side * side, maps_.data());
  for (size_t i = 0; i < stem_.size(); ++i) {
    GatherSurroundings(maps_.data(), side, channels, gathered_.data());
    side /= 2;
    Apply(stem_[i], gathered_.data(), side * side, 9 * channels, maps_.data());
    channels = spec_.stem[i];
    Silu(maps_.data(), channels, side * side, channels, pool_);
  }
  float* const x = workspace_.x.data();
  Apply(patch_embedding_, maps_.data(), spec_.patches(), channels, x);
  AddRows(x, spec_.hidden, positions_.data(), spec_.hidden, spec_.patches(), spec_.hidden, pool_);
}

void VisionEncoder::Project(float* prefix) {
  VisionWorkspace& w = workspace_;
  const size_t hidden = spec_.hidden, rows = spec_.prefix(), output = spec_.output;
  RmsNorm(w.x.data(), hidden, final_norm_.data(), spec_.norm_epsilon, spec_.patches(), hidden, w.normed.data(), hidden,
          pool_);
  GatherSquares(w.normed.data(), spec_.grid(), spec_.merge, hidden, gathered_.data());
  AlignedBuffer<float> between(rows * output);
  Apply(projector_[0], gathered_.data(), rows, size_t{spec_.merge} * spec_.merge * hidden, between.data());
  Silu(between.data(), output, rows, output, pool_);
  Apply(projector_[1], between.data(), rows, output, prefix);
}

absl::StatusOr<std::vector<float>> VisionEncoder::EncodeInput(std::span<const float> input) {
  const size_t expected = size_t{3} * spec_.image_size * spec_.image_size;
  if (input.size() != expected) {
    return absl::InvalidArgumentError(
        absl::StrCat("the picture has ", input.size(), " values; the encoder takes ", expected));
  }
  RunStem(input);
  for (const VisionLayer& layer : layers_) layer.Forward(spec_, workspace_, pool_);
  std::vector<float> prefix(size_t{spec_.prefix()} * spec_.output);
  Project(prefix.data());
  if (std::all_of(prefix.begin(), prefix.end(), [](float value) { return std::isfinite(value); })) return prefix;
  return absl::InternalError("the image encoder's result is not finite: its weights are damaged");
}

absl::StatusOr<std::vector<float>> VisionEncoder::Encode(const Image& image) {
  if (image.width == 0 || image.height == 0 || image.rgb.size() != size_t{3} * image.width * image.height) {
    return absl::InvalidArgumentError(absl::StrCat("the picture of ", image.width, " x ", image.height, " pixels has ",
                                                   image.rgb.size(), " bytes, and needs three for each of some"));
  }
  const PixelScale scale = {spec_.mean, spec_.deviation};
  return EncodeInput(ToModelInput(FitSquare(image, spec_.image_size, scale), scale));
}

uint64_t VisionEncoder::weight_bytes() const {
  uint64_t bytes = (positions_.size() + final_norm_.size()) * sizeof(float);
  const auto add = [&bytes](const Linear& linear) {
    bytes += linear.product.bytes() + linear.bias.size() * sizeof(float);
  };
  for (const Linear& linear : stem_) add(linear);
  for (const Linear& linear : projector_) add(linear);
  add(patch_embedding_);
  for (const VisionLayer& layer : layers_) bytes += layer.bytes();
  return bytes;
}

}  // namespace enigma::engine
