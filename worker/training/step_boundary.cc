#include "worker/training/step_boundary.h"

#include <limits>

namespace enigma::worker {
namespace {

bool ValidationDue(const engine::TrainingConfig& config, uint64_t step) {
  if (step == 0) return false;
  return step >= config.steps || (config.validate_every > 0 && step % config.validate_every == 0);
}

// Not below the last one, where what was computed before is computed again.
bool StopsEarly(const engine::TrainingConfig& config, uint64_t step, const ValidationRecord& validations) {
  return step >= validations.step && config.early_stop_validations > 0 &&
         validations.since_best >= config.early_stop_validations;
}

}  // namespace

uint64_t ControlWordOf(const v1::LeaderControl& control) {
  return (control.pause() ? kControlPause : 0) | (control.checkpoint() ? kControlCheckpoint : 0) |
         (control.stop() ? kControlStop : 0);
}

ValidationRecord ValidationRecord::From(const v1::BeginEpoch& begin) {
  const bool was_best = begin.validated_step() == begin.best_validation_step();
  return {.step = begin.validated_step(),
          .loss = was_best ? begin.best_validation_loss() : std::numeric_limits<double>::quiet_NaN(),
          .best_loss = begin.best_validation_loss(),
          .best_step = begin.best_validation_step(),
          .since_best = begin.validations_since_best()};
}

v1::ValidationRecord ValidationRecord::ToProto() const {
  v1::ValidationRecord record;
  record.set_step(step);
  record.set_loss(loss);
  record.set_best_loss(best_loss);
  record.set_best_step(best_step);
  record.set_since_best(since_best);
  return record;
}

void ValidationRecord::Add(uint64_t at_step, double at_loss) {
  step = at_step;
  loss = at_loss;
  if (best_step != 0 && !(at_loss < best_loss)) {
    ++since_best;
    return;
  }
  best_loss = at_loss;
  best_step = at_step;
  since_best = 0;
}

BoundaryAction NextAction(const engine::TrainingConfig& config, uint64_t step, uint64_t control,
                          const ValidationRecord& validations) {
  const bool last = step >= config.steps;
  if (!last && (control & (kControlPause | kControlStop)) != 0) return BoundaryAction::kPause;
  if (ValidationDue(config, step) && validations.step < step) return BoundaryAction::kValidate;
  if (last) return BoundaryAction::kFinish;
  return StopsEarly(config, step, validations) ? BoundaryAction::kFinishEarly : BoundaryAction::kStep;
}

bool CheckpointDue(const engine::TrainingConfig& config, uint64_t step, uint64_t last_step, absl::Duration since_last) {
  if (step <= last_step) return false;
  if (config.checkpoint_every > 0) return step / config.checkpoint_every > last_step / config.checkpoint_every;
  return since_last >= absl::Seconds(config.checkpoint_seconds);
}

}  // namespace enigma::worker
