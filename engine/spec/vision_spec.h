#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include <absl/status/statusor.h>

#include "engine/spec/gguf.h"
#include "engine/spec/gguf_writer.h"

namespace enigma::engine {

// An image encoder's shape: convolutions that halve the picture, a transformer over what they leave, and a projector to
// the width of a decoder's embeddings. Plain data; docs/vision.md has the keys and tensors of its file.
struct VisionSpec {
  std::string name;
  uint32_t image_size = 0;     // pixels of the picture's side
  std::vector<uint32_t> stem;  // channels that each convolution makes
  uint32_t hidden = 0;         // of the transformer
  uint32_t ffn = 0;
  uint32_t heads = 0;
  uint32_t layers = 0;
  uint32_t merge = 1;   // squares of so many patches a side become one row of the prefix
  uint32_t output = 0;  // of the projector: the decoder's hidden width
  float norm_epsilon = 1e-5F;
  std::array<float, 3> mean = {};       // of red, green and blue, and
  std::array<float, 3> deviation = {};  // above 0 (engine/image/model_input.h)

  uint32_t grid() const { return image_size >> stem.size(); }  // patches on a side
  uint32_t patches() const { return grid() * grid(); }
  uint32_t prefix() const { return patches() / (merge * merge); }  // rows that a picture takes in the decoder
  uint32_t head_dim() const { return hidden / heads; }
};

// Of each block of memory that an encoder works in.
inline constexpr uint64_t kVisionFloatsMax = uint64_t{1} << 28;

// Floats of the largest picture that a convolution reads or makes.
uint64_t StemMapFloats(const VisionSpec& spec);
// Floats of the most rows that a convolution or the projector multiplies.
uint64_t GatheredFloats(const VisionSpec& spec);

inline constexpr char kVisionArchitecture[] = "enigma-vision";

// What of a shape does not fit together, or asks for more than kVisionFloatsMax at once, naming the setting.
absl::Status CheckVisionSpec(const VisionSpec& spec);

// The tensors of an encoder's file with their shapes, as f32, in the order in which the file has them.
std::vector<TensorPlan> VisionTensors(const VisionSpec& spec);

uint64_t VisionParameterCount(const VisionSpec& spec);

GgufMetadata VisionMetadata(const VisionSpec& spec);

// Reads the shape from a file's metadata and checks that all tensors are there with the right shapes, and no others.
// The error names file and key or tensor.
absl::StatusOr<VisionSpec> VisionSpecFromGguf(const GgufFile& file);

}  // namespace enigma::engine
