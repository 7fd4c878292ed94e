#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <absl/status/statusor.h>

#include "engine/image/image.h"
#include "engine/model/projection.h"
#include "engine/spec/vision_spec.h"
#include "engine/tensor/aligned_buffer.h"
#include "engine/tensor/thread_pool.h"
#include "engine/vision/vision_layer.h"
#include "engine/weights/weight_source.h"

namespace enigma::engine {

// Pictures to rows of a decoder's embedding space: convolutions, a transformer, a projector (docs/vision.md). The bits
// of a prefix are a function of the weights and the pixels (docs/numerics.md): threads, and what was encoded before,
// change nothing. One caller at a time.
class VisionEncoder {
 public:
  // Packs the weights (memory beside the mapped file). Errors name file and key or tensor; ResourceExhausted where the
  // system has no memory for them. `weights` may go afterwards; `pool` must outlive the encoder.
  static absl::StatusOr<std::unique_ptr<VisionEncoder>> Load(const WeightSource& weights, ThreadPool& pool);

  // [prefix, output] of a picture of any size, which is fitted into the encoder's square (FitSquare).
  // InvalidArgument for one without pixels, or with other than its size says. Internal when the result is not finite:
  // the weights are damaged.
  absl::StatusOr<std::vector<float>> Encode(const Image& image);
  // The same of a model input [3][image_size][image_size] (ToModelInput). InvalidArgument for another size.
  absl::StatusOr<std::vector<float>> EncodeInput(std::span<const float> input);

  const VisionSpec& spec() const { return spec_; }
  uint64_t weight_bytes() const;

 private:
  // A product and what is added to it.
  struct Linear {
    Projection product;
    AlignedBuffer<float> bias;
  };
  VisionEncoder(VisionSpec spec, ThreadPool& pool);
  static absl::StatusOr<Linear> LoadLinear(const WeightSource& weights, const std::string& name, size_t inner,
                                           size_t outputs, ThreadPool& pool);
  absl::Status LoadEnds(const WeightSource& weights);
  void Apply(const Linear& linear, const float* x, size_t rows, size_t inner, float* y);
  void RunStem(std::span<const float> input);
  void Project(float* prefix);

  const VisionSpec spec_;
  ThreadPool& pool_;
  std::vector<Linear> stem_;
  Linear patch_embedding_;
  AlignedBuffer<float> positions_;  // [patches, hidden]
  std::vector<VisionLayer> layers_;
  AlignedBuffer<float> final_norm_;
  Linear projector_[2];
  AlignedBuffer<float> gathered_;  // what a convolution or the projector multiplies
  AlignedBuffer<float> maps_;      // what the last convolution made
  VisionWorkspace workspace_;
};

}  // namespace enigma::engine
