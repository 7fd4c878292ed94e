#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/spec/model_spec.h"
#include "engine/spec/training_config.h"
#include "engine/spec/vision_spec.h"
#include "engine/tensor/aligned_buffer.h"

namespace enigma::engine {

// Ends of the names of LoRA's factors.
inline constexpr char kLoraA[] = ".lora_a";
inline constexpr char kLoraB[] = ".lora_b";

// One tensor in the flat buffers of a training state.
struct Parameter {
  std::string name;             // as in GGUF
  std::vector<uint64_t> shape;  // GGUF order: shape[0] is the contiguous one, the inner dimension of a product
  size_t offset = 0;            // in floats; a multiple of 16
  size_t count = 0;
  bool decays = false;  // matrices do, norms and biases do not
};

// Which tensors are trained, and where they lie: the embedding first, then the layers, then the final norm and head, so
// that the backward pass finishes them from the end. Padding between tensors is zero and stays so.
class ParameterLayout {
 public:
  explicit ParameterLayout(const ModelSpec& spec);  // of a whole model
  // A job's whole model: the decoder, and the image encoder where it trains one.
  static ParameterLayout OfModel(const TrainingConfig& config);
  // What a job trains: the whole model; with LoRA, of each layer and target the factors A "blk.N.TARGET.weight.lora_a"
  // {cols, rank} and B "...lora_b" {rank, rows}, as adapters in GGUF have them.
  static ParameterLayout OfJob(const TrainingConfig& config);
  // An image encoder and the decoder that reads its prefix: the encoder's tensors as VisionTensors has them, and behind
  // them the decoder's as in a layout of its own.
  static ParameterLayout WithEncoder(const VisionSpec& encoder, const ModelSpec& decoder);

  const std::vector<Parameter>& parameters() const { return parameters_; }
  const Parameter* Find(std::string_view name) const;
  size_t floats() const { return floats_; }  // of a buffer, padding included
  uint64_t count() const;                    // of trained values

 private:
  ParameterLayout() = default;
  void AddDecoder(const ModelSpec& spec);
  void Add(std::string name, std::vector<uint64_t> shape);

  std::vector<Parameter> parameters_;
  size_t floats_ = 0;
};

// All that a rank must have to go on, and all that a checkpoint holds. Equal on every rank after every step.
struct TrainingState {
  uint64_t step = 0;    // steps done
  uint64_t tokens = 0;  // trained tokens so far
  AlignedBuffer<float> weights;
  AlignedBuffer<float> first_moments;
  AlignedBuffer<float> second_moments;
  std::vector<int32_t> exponents;  // of the fixed-point sums, per parameter
};

// Weights normal with deviation 0.02, those that add to the residual stream divided by sqrt(2 * layers); norms 1,
// biases 0; what leads into and out of an image encoder's transformer normal too, with a deviation that keeps the size
// of what goes through; of LoRA's factors A normal, B 0, which changes nothing yet; moments 0. A function of the seed
// alone.
TrainingState InitialState(const ModelSpec& spec, const ParameterLayout& layout, uint64_t seed);
TrainingState EmptyState(const ParameterLayout& layout);

}  // namespace enigma::engine
