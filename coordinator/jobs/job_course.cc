#include "coordinator/jobs/job_course.h"

#include <algorithm>
#include <optional>

#include <absl/strings/str_cat.h>

#include "base/text.h"
#include "telemetry/log.h"

namespace enigma::coordinator {
namespace {

constexpr double kKept = 0.9;       // of the sums, with each step
constexpr double kSpeedKept = 0.7;  // of a rank's speed, with each step
constexpr absl::Duration kSaveEvery = absl::Seconds(5);
// How a reason begins that the next checkpoint which is stored takes away.
constexpr char kNotStored[] = "a checkpoint was not stored: ";

}  // namespace

JobCourse::JobCourse(ControlPlane& plane, JobRegistry& jobs, const Job& job)
    : plane_(plane),
      jobs_(jobs),
      id_(job.id),
      model_(job.model),
      flops_per_token_(job.flops_per_token),
      saved_at_(plane.clock.Monotonic()) {
  SetMembers(job.members);
}

JobCourse::~JobCourse() {
  for (const Metric metric :
       {Metric::kJobSecondsLeft, Metric::kJobTokensPerSecond, Metric::kJobMfu, Metric::kJobWireShare}) {
    plane_.metrics.Gauge(metric, Labels()).Set(0);
  }
}

void JobCourse::SetMembers(const std::vector<std::string>& members) {
  members_ = members;
  labels_.clear();
  for (const std::string& id : members) {
    const std::optional<Node> node = plane_.nodes.Find(id);
    labels_.push_back(node ? node->Label() : id);
  }
  steps_ = seconds_ = tokens_ = waited_ = 0;
}

void JobCourse::EpochBegins(const std::vector<std::string>& members, size_t ranks_lost) {
  SetMembers(members);
  plane_.metrics.Counter(Metric::kJobEpochs, Labels()).Increment();
  plane_.metrics.Counter(Metric::kJobRanksLost, Labels()).Increment(static_cast<double>(ranks_lost));
  jobs_.Note(id_, [&](Job& job, JobHistory&) { job.progress.ranks = labels_; });
}

double JobCourse::FlopsOfMembers() const {
  double sum = 0;
  for (const std::string& node : members_) {
    const auto found = flops_.find(node);
    if (found == flops_.end() || found->second <= 0) return 0;
    sum += found->second;
  }
  return sum;
}

void JobCourse::Note(const enigma::v1::StepDone& step) {
  for (int i = 0; i < std::min(step.slots_size(), step.compute_seconds_size()); ++i) {
    if (static_cast<size_t>(i) >= members_.size() || step.slots(i) == 0 || step.compute_seconds(i) <= 0) continue;
    const double speed = step.slots(i) / step.compute_seconds(i);
    const auto [known, is_new] = speeds_.try_emplace(members_[static_cast<size_t>(i)], speed);
    if (!is_new) known->second = kSpeedKept * known->second + (1 - kSpeedKept) * speed;
  }
  steps_ = steps_ * kKept + 1;
  seconds_ = seconds_ * kKept + step.seconds();
  tokens_ = tokens_ * kKept + static_cast<double>(step.tokens());
  waited_ = waited_ * kKept + step.wait_seconds();
  const double tokens_per_second = seconds_ > 0 ? tokens_ / seconds_ : 0;
  const double flops = FlopsOfMembers();
  JobProgress noted;
  uint64_t steps = 0;
  jobs_.Note(id_, [&](Job& job, JobHistory& history) {
    JobProgress& progress = job.progress;
    progress.step = step.step();
    progress.loss = step.loss();
    progress.gradient_norm = step.gradient_norm();
    progress.learning_rate = step.learning_rate();
    progress.tokens_per_second = tokens_per_second;
    progress.step_seconds = seconds_ / steps_;
    progress.wire_share = seconds_ > 0 ? std::min(1.0, waited_ / seconds_) : 0;
    progress.mfu = flops > 0 ? flops_per_token_ * tokens_per_second / flops : 0;
    progress.data_epoch = step.data_epoch();
    progress.slots.assign(step.slots().begin(), step.slots().end());
    history.Add({.step = step.step(),
                 .loss = step.loss(),
                 .gradient_norm = step.gradient_norm(),
                 .learning_rate = step.learning_rate(),
                 .tokens_per_second = tokens_per_second});
    noted = progress;
    steps = job.steps;
  });
  Show(noted, steps);
  unsaved_ = true;
}

void JobCourse::Show(const JobProgress& progress, uint64_t steps) {
  const auto set = [this](Metric metric, double value) { plane_.metrics.Gauge(metric, Labels()).Set(value); };
  set(Metric::kJobStep, static_cast<double>(progress.step));
  set(Metric::kJobSteps, static_cast<double>(steps));
  set(Metric::kJobSecondsLeft, progress.step_seconds * static_cast<double>(steps - std::min(steps, progress.step)));
  set(Metric::kJobLoss, progress.loss);
  set(Metric::kJobTokensPerSecond, progress.tokens_per_second);
  set(Metric::kJobGradientNorm, progress.gradient_norm);
  set(Metric::kJobLearningRate, progress.learning_rate);
  set(Metric::kJobMfu, progress.mfu);
  set(Metric::kJobWireShare, progress.wire_share);
}

void JobCourse::Note(const enigma::v1::ValidationDone& validation) {
  jobs_.Note(id_, [&](Job& job, JobHistory& history) {
    job.validation.Note(validation.step(), validation.loss());
    history.AddValidation(validation.step(), validation.loss());
  });
  plane_.metrics.Gauge(Metric::kJobValidationLoss, Labels()).Set(validation.loss());
  unsaved_ = true;
}

void JobCourse::Note(const enigma::v1::CheckpointStored& checkpoint) {
  if (checkpoint.error().empty()) {
    LogInfo("job {}: the checkpoint of step {} is stored; training stood still for {:.3f} s, sending took {:.3f} s",
            id_, checkpoint.step(), checkpoint.copy_seconds(), checkpoint.store_seconds());
    jobs_.Note(id_, [](Job& job, JobHistory&) {
      if (job.reason.starts_with(kNotStored)) job.reason.clear();
    });
    return;
  }
  const std::string reason = absl::StrCat(kNotStored, "step ", checkpoint.step(), ": ", checkpoint.error());
  LogWarn("job {}: {}", id_, reason);
  jobs_.Note(id_, [&](Job& job, JobHistory&) { job.reason = reason; });
}

void JobCourse::SaveNowAndThen() {
  const absl::Duration now = plane_.clock.Monotonic();
  if (!unsaved_ || now - saved_at_ < kSaveEvery) return;
  saved_at_ = now;
  unsaved_ = false;
  if (const absl::Status saved = jobs_.Update(id_, [](Job&) {}); !saved.ok()) {
    LogWarn("job {}: its course is not saved: {}", id_, Describe(saved));
  }
}

double JobCourse::SpeedOf(const std::string& node) const {
  const auto found = speeds_.find(node);
  return found == speeds_.end() ? 0 : found->second;
}

void JobCourse::SetFlops(const std::string& node, double flops_per_second) {
  if (flops_per_second > 0) flops_[node] = flops_per_second;
}

}  // namespace enigma::coordinator
