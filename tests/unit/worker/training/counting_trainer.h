#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "engine/training/rank_trainer.h"

namespace enigma::worker {

// A trainer whose model is a few numbers and whose slots are arithmetic: as quick as a test wants, and with a result
// that shows every slot of every step that was left out, computed twice or computed on the wrong state. Keeps to
// RankTrainer's contract on sums, held slots and control words.
class CountingTrainer final : public engine::RankTrainer {
 public:
  // Called on the rank's thread; a test makes it slow, or looks.
  struct Hooks {
    std::function<void(uint64_t step, uint32_t slot)> before_slot;
    std::function<double(uint64_t step)> validation_loss;  // absent: there is no validation part
    uint64_t not_finite_at = ~uint64_t{0};                 // step that fails
  };
  CountingTrainer(const engine::TrainingConfig& config, engine::TrainingState state, Hooks hooks);

  static engine::TrainingState Initial();
  // The weights after so many steps of `slots` slots.
  static std::vector<float> Expected(uint64_t steps, uint32_t slots);
  static std::vector<float> WeightsOf(const engine::TrainingState& state);
  // A state as bytes, and back.
  static std::string Pack(const engine::TrainingState& state);
  static engine::TrainingState Unpack(const std::string& bytes);

  absl::StatusOr<engine::StepResult> Step(engine::Communicator* communicator, const std::vector<uint32_t>& owners,
                                          uint64_t control) override;
  std::vector<uint32_t> NextOwners() const override { return next_owners_; }
  std::vector<uint32_t> held() const override { return held_; }
  absl::StatusOr<double> Validate(engine::Communicator* communicator) override;
  const engine::ParameterLayout& layout() const override { return layout_; }
  const engine::TrainingState& state() const override { return state_; }
  absl::Status SetState(engine::TrainingState state) override;

 private:
  const uint32_t slots_;
  const Hooks hooks_;
  const engine::ParameterLayout layout_;
  engine::TrainingState state_;
  std::vector<uint32_t> held_;
  std::vector<int64_t> sums_;
  std::vector<uint32_t> next_owners_;
};

}  // namespace enigma::worker
