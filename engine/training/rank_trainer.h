#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include <absl/status/statusor.h>

#include "engine/collective/communicator.h"
#include "engine/corpus/slot_loader.h"
#include "engine/spec/training_config.h"
#include "engine/tensor/thread_pool.h"
#include "engine/training/parameters.h"

namespace enigma::engine {

// What everybody knows after a step.
struct StepResult {
  uint64_t step = 0;  // steps done, this one included
  double loss = 0;    // mean over the trained tokens of the step, in nats
  uint64_t tokens = 0;
  double gradient_norm = 0;  // before clipping
  double learning_rate = 0;
  uint32_t redone = 0;                  // times that values did not fit and the step was computed again
  uint64_t control = 0;                 // the leader's word
  std::vector<uint32_t> slots;          // that each rank computed
  std::vector<double> compute_seconds;  // that each rank took for them
  double wait_seconds = 0;              // of this rank, for the others and the wire
};

// One rank's part in a job, in one process: computes slots, adds them up with the others, updates its state. One thread
// calls.
class RankTrainer {
 public:
  struct Options {
    TrainingConfig config;
    std::shared_ptr<const SlotLoader> slots;
    TrainingState state;        // of ParameterLayout::OfJob(config)
    AlignedBuffer<float> base;  // with LoRA: the base model's weights, of ParameterLayout(config.spec); else empty
  };
  // InvalidArgument where state, base, spec and configuration do not fit each other.
  static absl::StatusOr<std::unique_ptr<RankTrainer>> Create(Options options, ThreadPool& pool);
  virtual ~RankTrainer() = default;

  // Does one step with the ranks of `communicator` (null: alone). `owners[slot]` is the rank that computes the slot,
  // the same list on every rank. `control`: what the leader says, 0 from others. After an error that comes from the
  // communicator the slots that are computed already are kept (held()), and a call with another communicator computes
  // only what `owners` gives this rank besides. FailedPrecondition, naming step and slot, where loss or gradient is not
  // finite; the state is as before the step.
  virtual absl::StatusOr<StepResult> Step(Communicator* communicator, const std::vector<uint32_t>& owners,
                                          uint64_t control) = 0;
  // Who computes which slot of the next step, in proportion to the speeds of the last one; empty before the first.
  virtual std::vector<uint32_t> NextOwners() const = 0;
  // Slots of the step under way that are in this rank's sums.
  virtual std::vector<uint32_t> held() const = 0;

  // Mean loss over the validation part, shared out over the ranks, the same bits on each. NotFound where it is empty.
  virtual absl::StatusOr<double> Validate(Communicator* communicator) = 0;

  // Of the state.
  virtual const ParameterLayout& layout() const = 0;
  virtual const TrainingState& state() const = 0;
  // Of the whole model, as ParameterLayout::OfModel(config): the state's own weights where all of it is trained.
  virtual const float* model_weights() const { return state().weights.data(); }
  // Forgets held slots.
  virtual absl::Status SetState(TrainingState state) = 0;
};

}  // namespace enigma::engine
