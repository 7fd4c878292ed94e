#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include <absl/base/thread_annotations.h>
#include <absl/synchronization/mutex.h>

#include "engine/corpus/slot_loader.h"
#include "engine/spec/training_config.h"
#include "engine/tensor/thread_pool.h"
#include "engine/training/decoder.h"
#include "engine/training/encoder.h"
#include "engine/training/gradient_sums.h"
#include "engine/training/trainable_weights.h"

namespace enigma::engine {

// What a slot came to.
struct SlotOutcome {
  uint32_t slot = 0;
  double loss = 0;
  uint64_t tokens = 0;
  bool finite = true;
};

// Computes slots with all threads: of small models as many at once as there are threads, each by one of them, because
// their many short loops would cost more to share out than they take; of larger ones one after another. Neither leaves
// a trace in what comes out. One thread calls.
class SlotLanes {
 public:
  // All outlive the lanes. `model`: the whole model's layout.
  SlotLanes(const TrainingConfig& config, const SlotLoader& slots, const ParameterLayout& model,
            TrainableWeights& trained, ThreadPool& pool);

  // As Decoder::SetWeights.
  void SetWeights(const float* weights);

  // Adds the gradients of `slots` of step `step` to `sums` and what they came to to `outcomes`. `finished`, where
  // given, hears which parts of the sums are final, from the end to the beginning, whole parameters.
  void Compute(uint64_t step, std::span<const uint32_t> slots, std::span<const int32_t> exponents, GradientSums& sums,
               std::vector<SlotOutcome>& outcomes, const GradientPart* finished);

  // Sum of the losses of a slot's trained tokens.
  double Loss(const SlotBatch& batch);
  // As large as the gradient of what is trained, and free between calls.
  float* scratch() { return lanes_.front().gradient->trained(); }

 private:
  struct Lane {
    std::unique_ptr<Decoder> decoder;
    std::unique_ptr<Encoder> encoder;  // of jobs with pictures
    FloatBuffer d_prefix;              // the gradient at what the encoder gave
    std::unique_ptr<SlotGradient> gradient;
  };
  struct Sink {
    std::span<const int32_t> exponents;
    GradientSums& sums;
    std::vector<SlotOutcome>& outcomes;
  };
  double LossAndGradient(Lane& lane, const SlotBatch& batch, uint64_t step, uint32_t slot,
                         const GradientPart& finished) const;
  void ComputeSlot(Lane& lane, uint64_t step, uint32_t slot, const Sink& sink, const GradientPart* finished);

  const TrainingConfig& config_;
  const SlotLoader& slots_;
  const TrainableWeights& trained_;
  ThreadPool& pool_;
  std::vector<Lane> lanes_;  // one, or one for each thread
  absl::Mutex mutex_;        // of what a sink refers to
};

}  // namespace enigma::engine
