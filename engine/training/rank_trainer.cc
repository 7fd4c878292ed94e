#include "engine/training/rank_trainer.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>
#include <utility>

#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "engine/spec/slot_shares.h"
#include "engine/training/gradient_sums.h"
#include "engine/training/slot_lanes.h"
#include "engine/training/step_header.h"
#include "engine/training/trainable_weights.h"
#include "engine/training/weight_update.h"

namespace enigma::engine {
namespace {

// Parts of the gradient smaller than this many values wait for the next one: a message has a cost of its own.
constexpr size_t kBucketValues = size_t{1} << 17;
constexpr uint32_t kRedoMost = 16;

double SecondsSince(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

class CpuRankTrainer : public RankTrainer {
 public:
  CpuRankTrainer(Options options, ThreadPool& pool)
      : config_(std::move(options.config)),
        slots_(std::move(options.slots)),
        pool_(pool),
        model_(ParameterLayout::OfModel(config_)),
        trained_(MakeTrainableWeights(config_, model_, std::move(options.base), pool)),
        layout_(trained_->layout()),
        lanes_(config_, *slots_, model_, *trained_, pool),
        state_(std::move(options.state)),
        sums_(layout_) {
    UseWeights();
    first_exponents_ = state_.exponents;
  }

  absl::StatusOr<StepResult> Step(Communicator* communicator, const std::vector<uint32_t>& owners,
                                  uint64_t control) override;
  std::vector<uint32_t> NextOwners() const override;
  std::vector<uint32_t> held() const override;
  absl::StatusOr<double> Validate(Communicator* communicator) override;
  const ParameterLayout& layout() const override { return layout_; }
  const TrainingState& state() const override { return state_; }
  const float* model_weights() const override { return model_weights_; }
  absl::Status SetState(TrainingState state) override;

 private:
  absl::Status CheckOwners(uint32_t ranks, const std::vector<uint32_t>& owners) const;
  // Computes the slots that this rank owns and does not hold; sends the sums on their way as they become final.
  absl::Status ComputeSlots(Communicator* communicator, const std::vector<uint32_t>& owners);
  // Adds up [begin, end) over the ranks, once enough has come together.
  absl::Status StartPart(Communicator& communicator, size_t begin, size_t end);
  absl::StatusOr<StepHeader> AddUp(Communicator* communicator, uint64_t control);
  absl::StatusOr<StepResult> Apply(const StepHeader& header, Communicator* communicator);
  void ForgetSlots();
  void BeginAnew();
  // Gives the decoder what the state's weights make.
  void UseWeights();

  const TrainingConfig config_;
  const std::shared_ptr<const SlotLoader> slots_;
  ThreadPool& pool_;
  const ParameterLayout model_;
  const std::unique_ptr<TrainableWeights> trained_;
  const ParameterLayout& layout_;  // of what is trained
  SlotLanes lanes_;
  TrainingState state_;
  const float* model_weights_ = nullptr;
  GradientSums sums_;               // of this rank's slots
  AlignedBuffer<int64_t> reduced_;  // of everybody's; made when there are others
  size_t part_end_ = 0;             // of what waits for the next part; 0: nothing
  std::vector<SlotOutcome> held_;   // what the slots of the step under way came to
  double held_seconds_ = 0;
  std::vector<int32_t> first_exponents_;  // before the step under way was computed again
  uint32_t redone_ = 0;
  double wait_seconds_ = 0;
  std::vector<double> speeds_;  // of the last step
};

absl::Status CpuRankTrainer::CheckOwners(uint32_t ranks, const std::vector<uint32_t>& owners) const {
  if (owners.size() != config_.slots ||
      std::any_of(owners.begin(), owners.end(), [&](uint32_t owner) { return owner >= ranks; })) {
    return absl::InvalidArgumentError(absl::StrCat("a step of ", config_.slots, " slots over ", ranks,
                                                   " ranks was shared out as ", owners.size(), " slots, or to others"));
  }
  return absl::OkStatus();
}

absl::Status CpuRankTrainer::StartPart(Communicator& communicator, size_t begin, size_t end) {
  if (part_end_ == 0) part_end_ = end;
  if (begin > 0 && part_end_ - begin < kBucketValues) return absl::OkStatus();
  const size_t count = part_end_ - begin;
  part_end_ = 0;
  int64_t* part = reduced_.data() + begin;
  const int64_t* own = sums_.values().data() + begin;
  pool_.ParallelFor(count, kBucketValues / 8, [&](size_t first, size_t last, int) {
    std::memcpy(part + first, own + first, (last - first) * sizeof(int64_t));
  });
  return communicator.StartSum({part, count});
}

absl::Status CpuRankTrainer::ComputeSlots(Communicator* communicator, const std::vector<uint32_t>& owners) {
  const uint32_t rank = communicator == nullptr ? 0 : communicator->rank();
  std::vector<uint32_t> missing;
  for (uint32_t slot = 0; slot < owners.size(); ++slot) {
    const bool here =
        std::any_of(held_.begin(), held_.end(), [&](const SlotOutcome& outcome) { return outcome.slot == slot; });
    if (owners[slot] == rank && !here) missing.push_back(slot);
  }
  absl::Status status;
  const GradientPart send = [&](size_t begin, size_t end) {
    if (status.ok()) status = StartPart(*communicator, begin, end);
  };
  if (communicator != nullptr && reduced_.size() == 0) reduced_ = AlignedBuffer<int64_t>(layout_.floats());
  part_end_ = 0;
  const auto start = std::chrono::steady_clock::now();
  lanes_.Compute(state_.step, missing, state_.exponents, sums_, held_, communicator == nullptr ? nullptr : &send);
  held_seconds_ += missing.empty() ? 0 : SecondsSince(start);
  return status;
}

absl::StatusOr<StepHeader> CpuRankTrainer::AddUp(Communicator* communicator, uint64_t control) {
  const uint32_t size = communicator == nullptr ? 1 : communicator->size();
  const uint32_t rank = communicator == nullptr ? 0 : communicator->rank();
  StepHeader header(size, config_.slots, layout_.parameters().size());
  for (const SlotOutcome& outcome : held_) {
    header.AddSlot(outcome.slot, outcome.loss, outcome.tokens);
    if (!outcome.finite) header.MarkNotFinite(outcome.slot);
  }
  header.SetMisfits(sums_.misfits());
  header.SetControl(control);
  header.SetStanding(state_.step, state_.exponents);
  header.SetWork(rank, static_cast<uint32_t>(held_.size()), held_seconds_);
  if (communicator == nullptr) return header;
  const auto start = std::chrono::steady_clock::now();
  ENIGMA_RETURN_IF_ERROR(communicator->StartSum(header.values()));
  ENIGMA_RETURN_IF_ERROR(communicator->Wait());
  wait_seconds_ += SecondsSince(start);
  return header;
}

// As before the step.
void CpuRankTrainer::BeginAnew() {
  ForgetSlots();
  state_.exponents = first_exponents_;
  redone_ = 0;
}

void CpuRankTrainer::ForgetSlots() {
  sums_.Clear();
  held_.clear();
  held_seconds_ = 0;
}

void CpuRankTrainer::UseWeights() {
  model_weights_ = trained_->ModelWeights(state_.weights.data());
  lanes_.SetWeights(model_weights_);
}

absl::StatusOr<StepResult> CpuRankTrainer::Apply(const StepHeader& header, Communicator* communicator) {
  const uint32_t size = communicator == nullptr ? 1 : communicator->size();
  StepResult result;
  result.tokens = header.tokens();
  result.loss = header.loss() / static_cast<double>(std::max<uint64_t>(result.tokens, 1));
  result.control = header.control();
  result.redone = redone_;
  result.wait_seconds = wait_seconds_;
  speeds_.clear();
  for (uint32_t rank = 0; rank < size; ++rank) {
    result.slots.push_back(header.SlotsOf(rank));
    result.compute_seconds.push_back(header.SecondsOf(rank));
    speeds_.push_back(result.slots.back() == 0 ? 0 : result.slots.back() / std::max(header.SecondsOf(rank), 1e-9));
  }
  const std::span<const int64_t> sums = communicator == nullptr
                                            ? std::as_const(sums_).values()
                                            : std::span<const int64_t>(reduced_.data(), reduced_.size());
  const WeightUpdate update = UpdateWeights(config_, layout_, sums, result.tokens, lanes_.scratch(), state_, pool_);
  if (!std::isfinite(update.gradient_norm)) {
    return absl::FailedPreconditionError(
        absl::StrCat("step ", state_.step + 1, ": the norm of the gradient is not finite"));
  }
  result.gradient_norm = update.gradient_norm;
  result.learning_rate = update.learning_rate;
  result.step = state_.step;
  UseWeights();
  return result;
}

absl::StatusOr<StepResult> CpuRankTrainer::Step(Communicator* communicator, const std::vector<uint32_t>& owners,
                                                uint64_t control) {
  ENIGMA_RETURN_IF_ERROR(CheckOwners(communicator == nullptr ? 1 : communicator->size(), owners));
  if (held_.empty() && redone_ == 0) first_exponents_ = state_.exponents;
  wait_seconds_ = 0;
  for (uint32_t attempt = 0; attempt < kRedoMost; ++attempt) {
    const absl::Status computed = ComputeSlots(communicator, owners);
    absl::StatusOr<StepHeader> added = computed.ok() ? AddUp(communicator, control) : computed;
    if (!added.ok()) {
      // Others may not have heard that values did not fit: what was computed again is not theirs.
      if (redone_ > 0) BeginAnew();
      return added.status();
    }
    const StepHeader& header = *added;
    if (!header.AllAlike()) {
      return absl::InternalError(
          absl::StrCat("step ", state_.step + 1, ": ranks have other steps or exponents than each other"));
    }
    if (header.slots_computed() != config_.slots) {
      return absl::InternalError(absl::StrCat("step ", state_.step + 1, ": ", header.slots_computed(), " of ",
                                              config_.slots, " slots were computed: ranks disagree"));
    }
    const int64_t wild = header.FirstNotFinite();
    const bool lowered = wild < 0 && header.AnyMisfit() && LowerExponents(header.misfits(), state_.exponents);
    if (wild >= 0 || (header.AnyMisfit() && !lowered)) {
      BeginAnew();
      return absl::FailedPreconditionError(
          absl::StrCat("step ", state_.step + 1, wild < 0 ? std::string() : std::string(absl::StrCat(", slot ", wild)),
                       ": loss or gradient is not finite; a lower learning rate, or clipping, may help"));
    }
    if (lowered) {
      ForgetSlots();
      ++redone_;
      continue;
    }
    absl::StatusOr<StepResult> result = Apply(header, communicator);
    ForgetSlots();
    redone_ = 0;
    return result;
  }
  return absl::InternalError(absl::StrCat("step ", state_.step + 1, " was begun ", kRedoMost, " times in vain"));
}

std::vector<uint32_t> CpuRankTrainer::NextOwners() const {
  if (speeds_.empty()) return {};
  // Who had nothing to do is taken for average.
  double sum = 0;
  int known = 0;
  for (const double speed : speeds_) {
    sum += speed;
    known += speed > 0 ? 1 : 0;
  }
  std::vector<double> speeds = speeds_;
  for (double& speed : speeds) {
    if (speed <= 0) speed = known == 0 ? 1 : sum / known;
  }
  return ShareOutSlots(config_.slots, speeds);
}

std::vector<uint32_t> CpuRankTrainer::held() const {
  std::vector<uint32_t> slots;
  for (const SlotOutcome& outcome : held_) slots.push_back(outcome.slot);
  return slots;
}

absl::StatusOr<double> CpuRankTrainer::Validate(Communicator* communicator) {
  const uint32_t count = slots_->validation_slots();
  if (count == 0) return absl::NotFoundError("there is no data to validate on");
  const uint32_t size = communicator == nullptr ? 1 : communicator->size();
  StepHeader header(1, 1, 0);
  for (uint32_t i = communicator == nullptr ? 0 : communicator->rank(); i < count; i += size) {
    const SlotBatch batch = slots_->LoadValidation(i);
    if (batch.tokens.empty()) continue;
    header.AddSlot(0, lanes_.Loss(batch), batch.trained);
  }
  if (communicator != nullptr) {
    ENIGMA_RETURN_IF_ERROR(communicator->StartSum(header.values()));
    ENIGMA_RETURN_IF_ERROR(communicator->Wait());
  }
  if (header.FirstNotFinite() >= 0) {
    return absl::FailedPreconditionError("the loss on validation data is not finite");
  }
  return header.loss() / static_cast<double>(std::max<uint64_t>(header.tokens(), 1));
}

absl::Status CheckState(const ParameterLayout& layout, const TrainingState& state) {
  const bool fits = state.weights.size() == layout.floats() && state.first_moments.size() == layout.floats() &&
                    state.second_moments.size() == layout.floats() &&
                    state.exponents.size() == layout.parameters().size();
  if (fits) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("a training state of ", state.weights.size(), " values does not fit a model of ", layout.floats()));
}

absl::Status CpuRankTrainer::SetState(TrainingState state) {
  ENIGMA_RETURN_IF_ERROR(CheckState(layout_, state));
  state_ = std::move(state);
  ForgetSlots();
  redone_ = 0;
  speeds_.clear();
  UseWeights();
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<RankTrainer>> RankTrainer::Create(Options options, ThreadPool& pool) {
  ENIGMA_RETURN_IF_ERROR(CheckTrainingConfig(options.config));
  ENIGMA_RETURN_IF_ERROR(CheckTrainable(options.config.spec));
  ENIGMA_RETURN_IF_ERROR(CheckState(ParameterLayout::OfJob(options.config), options.state));
  const size_t base_floats = options.config.lora.rank > 0 ? ParameterLayout(options.config.spec).floats() : 0;
  if (options.base.size() != base_floats) {
    return absl::InvalidArgumentError(
        absl::StrCat("a base model of ", options.base.size(), " values does not fit, ", base_floats, " are needed"));
  }
  const SlotLoader::Options& slots = options.slots->options();
  if (slots.slots != options.config.slots || slots.sequences_per_step != options.config.sequences_per_step ||
      slots.context != options.config.context) {
    return absl::InvalidArgumentError("the batches were cut for another configuration");
  }
  const PictureTraining& pictures = options.config.pictures;
  const bool has_pictures = options.slots->pictures() != nullptr;
  if (pictures.used() != has_pictures ||
      (has_pictures && (slots.picture_rows != pictures.encoder.prefix() || slots.picture_token != pictures.token))) {
    return absl::InvalidArgumentError("the batches' pictures are not those of the configuration");
  }
  return std::make_unique<CpuRankTrainer>(std::move(options), pool);
}

}  // namespace enigma::engine
