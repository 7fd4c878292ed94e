#pragma once

#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

#include "engine/spec/training_config.h"
#include "engine/tensor/aligned_buffer.h"
#include "engine/tensor/thread_pool.h"
#include "engine/training/parameters.h"

namespace enigma::engine {

// Floats [first, second) of a flat buffer.
using FloatRange = std::pair<size_t, size_t>;

// Where the decoder leaves one slot's gradient, and what of it is trained. One thread calls.
class SlotGradient {
 public:
  virtual ~SlotGradient() = default;

  // Of the whole model.
  virtual float* model() = 0;
  // Of what is trained; memory for anything while no slot is computed.
  virtual float* trained() = 0;
  // To be called once the decoder has finished [begin, end) of model(). The range of trained() that is complete with
  // it, whole parameters; empty where nothing of it is trained.
  virtual FloatRange Finish(size_t begin, size_t end) = 0;
};

// What a job trains, between the decoder, which knows a whole model, and the state, which holds what is trained of it.
// One thread calls.
class TrainableWeights {
 public:
  virtual ~TrainableWeights() = default;

  // Of the state and all that is added up.
  virtual const ParameterLayout& layout() const = 0;
  // The whole model's weights that a state's weights make. They stay where they are until the next call.
  virtual const float* ModelWeights(const float* weights) = 0;
  // For slots computed with the weights of the last ModelWeights; these outlive it. Several may be in use at once.
  virtual std::unique_ptr<SlotGradient> MakeGradient() const = 0;
  // All ranges that a slot finishes, in order: from the end of the buffer to its beginning.
  virtual std::vector<FloatRange> Ranges() const = 0;
};

// `model`: the whole model's layout, which outlives what is made. `base`: its weights, with LoRA; otherwise unused.
std::unique_ptr<TrainableWeights> MakeTrainableWeights(const TrainingConfig& config, const ParameterLayout& model,
                                                       AlignedBuffer<float> base, ThreadPool& pool);

}  // namespace enigma::engine
