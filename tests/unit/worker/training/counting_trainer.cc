#include "tests/unit/worker/training/counting_trainer.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include <absl/strings/str_cat.h>

#include "base/status_macros.h"

namespace enigma::worker {
namespace {

constexpr size_t kWeights = 16;
// Behind the weights' sums: slots computed, the control word, and one place for each of at most 8 ranks.
constexpr size_t kSlots = kWeights;
constexpr size_t kControl = kWeights + 1;
constexpr size_t kRanks = kWeights + 2;
constexpr size_t kValues = kRanks + 8;

// Depends on the weights, so that a step on a wrong state shows.
int64_t Part(const float* weights, uint64_t step, uint32_t slot, size_t i) {
  const auto weight = static_cast<int64_t>(weights[i]);
  return (static_cast<int64_t>(step * 31 + slot * 7 + i) % 13) + weight % 5;
}

void Apply(float* weights, const int64_t* sums) {
  for (size_t i = 0; i < kWeights; ++i)
    weights[i] = static_cast<float>((static_cast<int64_t>(weights[i]) + sums[i]) % 4093);
}

}  // namespace

CountingTrainer::CountingTrainer(const engine::TrainingConfig& config, engine::TrainingState state, Hooks hooks)
    : slots_(config.slots), hooks_(std::move(hooks)), layout_(config.spec), state_(std::move(state)), sums_(kValues) {}

engine::TrainingState CountingTrainer::Initial() {
  engine::TrainingState state;
  state.weights = engine::AlignedBuffer<float>(kWeights);
  state.first_moments = engine::AlignedBuffer<float>(kWeights);
  state.second_moments = engine::AlignedBuffer<float>(kWeights);
  for (size_t i = 0; i < kWeights; ++i) {
    state.weights[i] = static_cast<float>(i);
    state.first_moments[i] = state.second_moments[i] = 0;
  }
  state.exponents = {24};
  return state;
}

std::vector<float> CountingTrainer::WeightsOf(const engine::TrainingState& state) {
  return {state.weights.data(), state.weights.data() + state.weights.size()};
}

std::vector<float> CountingTrainer::Expected(uint64_t steps, uint32_t slots) {
  std::vector<float> weights = WeightsOf(Initial());
  for (uint64_t step = 0; step < steps; ++step) {
    int64_t sums[kWeights] = {};
    for (uint32_t slot = 0; slot < slots; ++slot) {
      for (size_t i = 0; i < kWeights; ++i) sums[i] += Part(weights.data(), step, slot, i);
    }
    Apply(weights.data(), sums);
  }
  return weights;
}

std::string CountingTrainer::Pack(const engine::TrainingState& state) {
  std::string bytes(sizeof state.step, '\0');
  std::memcpy(bytes.data(), &state.step, sizeof state.step);
  bytes.append(reinterpret_cast<const char*>(state.weights.data()), kWeights * sizeof(float));
  return bytes;
}

engine::TrainingState CountingTrainer::Unpack(const std::string& bytes) {
  engine::TrainingState state = Initial();
  std::memcpy(&state.step, bytes.data(), sizeof state.step);
  std::memcpy(state.weights.data(), bytes.data() + sizeof state.step, kWeights * sizeof(float));
  return state;
}

absl::StatusOr<engine::StepResult> CountingTrainer::Step(engine::Communicator* communicator,
                                                         const std::vector<uint32_t>& owners, uint64_t control) {
  for (uint32_t slot = 0; slot < slots_; ++slot) {
    if (owners[slot] != communicator->rank() || std::count(held_.begin(), held_.end(), slot) > 0) continue;
    if (hooks_.before_slot) hooks_.before_slot(state_.step, slot);
    for (size_t i = 0; i < kWeights; ++i) sums_[i] += Part(state_.weights.data(), state_.step, slot, i);
    held_.push_back(slot);
  }
  std::vector<int64_t> all = sums_;
  all[kSlots] = static_cast<int64_t>(held_.size());
  all[kControl] = static_cast<int64_t>(control);
  all[kRanks + communicator->rank()] = static_cast<int64_t>(held_.size());
  ENIGMA_RETURN_IF_ERROR(communicator->StartSum(all));
  ENIGMA_RETURN_IF_ERROR(communicator->Wait());
  if (all[kSlots] != slots_) return absl::InternalError(absl::StrCat(all[kSlots], " slots instead of ", slots_));
  if (state_.step == hooks_.not_finite_at) {
    return absl::FailedPreconditionError(absl::StrCat("step ", state_.step + 1, ": the loss is not finite"));
  }
  Apply(state_.weights.data(), all.data());
  ++state_.step;
  held_.clear();
  std::fill(sums_.begin(), sums_.end(), 0);
  next_owners_ = owners;

  engine::StepResult result;
  result.step = state_.step;
  result.loss = 1.0 / static_cast<double>(state_.step);
  result.tokens = 100;
  result.control = static_cast<uint64_t>(all[kControl]);
  for (uint32_t rank = 0; rank < communicator->size(); ++rank) {
    result.slots.push_back(static_cast<uint32_t>(all[kRanks + rank]));
    result.compute_seconds.push_back(0.5);
  }
  return result;
}

absl::StatusOr<double> CountingTrainer::Validate(engine::Communicator* communicator) {
  if (!hooks_.validation_loss) return absl::NotFoundError("there is no data to validate on");
  int64_t one = 1;
  ENIGMA_RETURN_IF_ERROR(communicator->StartSum({&one, 1}));
  ENIGMA_RETURN_IF_ERROR(communicator->Wait());
  if (one != communicator->size()) return absl::InternalError("not everybody validated");
  return hooks_.validation_loss(state_.step);
}

absl::Status CountingTrainer::SetState(engine::TrainingState state) {
  state_ = std::move(state);
  held_.clear();
  std::fill(sums_.begin(), sums_.end(), 0);
  return absl::OkStatus();
}

}  // namespace enigma::worker
