#include "coordinator/jobs/describe_job.h"

#include <algorithm>
#include <limits>
#include <string>

namespace enigma::coordinator {

enigma::v1::JobInfo DescribeJob(const Job& job, bool whole) {
  constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
  const JobProgress& progress = job.progress;
  const ValidationBook& validation = job.validation;
  enigma::v1::JobInfo info;
  info.set_job(job.id);
  info.set_model(job.model);
  info.set_task(job.task);
  info.set_state(std::string(JobStateName(job.state)));
  info.set_reason(job.reason);
  info.set_step(progress.step);
  info.set_steps(job.steps);
  info.set_loss(progress.step == 0 ? kNone : progress.loss);
  info.set_validation_loss(validation.step == 0 ? kNone : validation.loss);
  info.set_best_validation_loss(validation.best_step == 0 ? kNone : validation.best_loss);
  info.set_best_step(validation.best_step);
  info.set_tokens_per_second(progress.tokens_per_second);
  info.set_gradient_norm(progress.gradient_norm);
  info.set_learning_rate(progress.learning_rate);
  info.set_mfu(progress.mfu);
  if (IsLive(job.state)) {
    info.set_seconds_left(progress.step_seconds * static_cast<double>(job.steps - std::min(job.steps, progress.step)));
  }
  info.set_wire_share(progress.wire_share);
  info.mutable_ranks()->Assign(progress.ranks.begin(), progress.ranks.end());
  info.mutable_slots()->Assign(progress.slots.begin(), progress.slots.end());
  info.set_submitted_unix_ms(job.submitted_unix_ms);
  info.set_ended_unix_ms(job.ended_unix_ms);
  info.set_parameters(job.parameters);
  info.set_flops_per_token(job.flops_per_token);
  info.set_priority(job.priority);
  info.set_checkpoint_step(job.checkpoint_step);
  info.set_model_step(job.model_step);
  info.set_data_epoch(progress.data_epoch);
  if (!whole) return info;
  info.set_config_json(job.config_json);
  info.set_report_json(job.report_json);
  info.mutable_warnings()->Assign(job.warnings.begin(), job.warnings.end());
  return info;
}

enigma::v1::JobPoint DescribePoint(const JobPoint& point) {
  enigma::v1::JobPoint told;
  told.set_step(point.step);
  told.set_loss(point.loss);
  if (point.validation_loss) told.set_validation_loss(*point.validation_loss);
  told.set_gradient_norm(point.gradient_norm);
  told.set_learning_rate(point.learning_rate);
  told.set_tokens_per_second(point.tokens_per_second);
  return told;
}

ValidationBook BookOf(const enigma::v1::ValidationRecord& told) {
  return {.step = told.step(),
          .loss = told.loss(),
          .best_step = told.best_step(),
          .best_loss = told.best_loss(),
          .since_best = told.since_best()};
}

}  // namespace enigma::coordinator
