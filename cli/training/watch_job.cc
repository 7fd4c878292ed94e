#include "cli/training/watch_job.h"

#include <unistd.h>

#include <cmath>
#include <cstdio>
#include <memory>

#include <absl/strings/match.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_format.h>
#include <absl/strings/str_join.h>
#include <absl/time/clock.h>

#include "base/status_macros.h"
#include "cli/output/format.h"
#include "cli/output/progress.h"
#include "cli/output/standard_output.h"
#include "cli/training/job_json.h"

namespace enigma::cli {

namespace {

constexpr absl::Duration kLineEvery = absl::Seconds(5);      // where stderr is no terminal
constexpr absl::Duration kAwayPatience = absl::Seconds(60);  // for a coordinator that restarts
constexpr absl::Duration kAskAgain = absl::Milliseconds(500);

// Shows a job on stderr as it goes on.
class JobScreen {
 public:
  void Show(const v1::JobUpdate& update) {
    const v1::JobInfo& job = update.info();
    if (progress_ == nullptr) {
      Introduce(job);
      progress_ = std::make_unique<Progress>(absl::StrCat("job ", job.job()));
    }
    TellValidations(update);
    TellState(job);
    if (const std::string slow = wire_.Note(job); !slow.empty()) Line(slow);
    const bool runs = job.state() == "running";
    progress_->Update(job.step(), job.steps(),
                      runs ? absl::StrCat(job.step(), "/", job.steps(), "  ", MeasurementsText(job)) : StateOf(job));
    if (is_terminal_ || !runs || absl::Now() - line_at_ < kLineEvery) return;
    Line(absl::StrCat("step ", job.step(), "/", job.steps(), ": ", MeasurementsText(job)));
  }
  void Away(const std::string& why) { Line(absl::StrCat("the coordinator is away (", why, "); looking for it")); }

 private:
  static std::string StateOf(const v1::JobInfo& job) {
    return absl::StrCat(StateText(job), job.reason().empty() ? "" : ": ", job.reason());
  }

  static void Introduce(const v1::JobInfo& job) {
    std::fprintf(stderr, "Job %llu trains %s: %s parameters, %llu steps.\n", static_cast<unsigned long long>(job.job()),
                 job.model().c_str(), FormatCount(job.parameters()).c_str(),
                 static_cast<unsigned long long>(job.steps()));
    std::fprintf(stderr,
                 "MFU: %.3g M operations per learned token x tokens/s / the operations a second of such products that "
                 "the workers measured. Wire: the share of a step in which the first worker waits for the others.\n",
                 job.flops_per_token() / 1e6);
    for (const std::string& warning : job.warnings()) std::fprintf(stderr, "warning: %s\n", warning.c_str());
  }

  void TellValidations(const v1::JobUpdate& update) {
    for (const v1::JobPoint& point : update.points()) {
      if (!point.has_validation_loss() || point.step() <= validated_) continue;
      validated_ = point.step();
      Line(absl::StrFormat("step %d: loss %.4f, validation loss %.4f", point.step(), point.loss(),
                           point.validation_loss()));
    }
  }

  void TellState(const v1::JobInfo& job) {
    const std::string ranks = absl::StrJoin(job.ranks(), ", ");
    const std::string state = StateText(job);
    if (state != state_ || ranks != ranks_) {
      Line(job.state() == "running" && !ranks.empty() ? absl::StrCat("running on ", ranks) : StateOf(job));
    }
    state_ = state;
    ranks_ = ranks;
    if (const std::string trouble = TroubleText(job, trouble_); !trouble.empty()) Line(trouble);
    trouble_ = job.state() == "running" ? job.reason() : "";
  }

  void Line(const std::string& text) {
    if (progress_ != nullptr) progress_->Finish();
    std::fprintf(stderr, "%s\n", text.c_str());
    line_at_ = absl::Now();
  }

  const bool is_terminal_ = ::isatty(STDERR_FILENO) == 1;
  std::unique_ptr<Progress> progress_;
  std::string state_;
  std::string ranks_;
  std::string trouble_;  // in spite of which it runs
  WireWarning wire_;
  uint64_t validated_ = 0;
  absl::Time line_at_ = absl::InfinitePast();
};

Json UpdateJson(const v1::JobUpdate& update) {
  Json json = ToJson(update.info());
  json["points"] = Json::array();
  for (const v1::JobPoint& point : update.points()) json["points"].push_back(ToJson(point));
  return json;
}

// One call: `last` is the newest state it told of. OK where it ended by itself.
absl::Status FollowOnce(ClusterClient& client, const v1::WatchJobRequest& request, WatchOutput output,
                        CallStopper& stopper, JobScreen& screen, v1::JobInfo& last) {
  const std::unique_ptr<grpc::ClientContext> context = stopper.NewCall();
  const auto reader = client.training().Watch(context.get(), request);
  v1::JobUpdate update;
  while (reader->Read(&update)) {
    last = update.info();
    if (output == WatchOutput::kLines) screen.Show(update);
    if (output != WatchOutput::kJson) continue;
    const std::string line = UpdateJson(update).dump(-1, ' ', false, Json::error_handler_t::replace);
    if (!ShowNow(line + "\n")) context->TryCancel();
  }
  const grpc::Status ended = reader->Finish();
  stopper.Forget();
  if (ended.error_code() == grpc::StatusCode::UNAVAILABLE) return absl::UnavailableError(ended.error_message());
  return client.Explain(ended);
}

}  // namespace

std::string LossText(double loss) { return std::isfinite(loss) ? absl::StrFormat("%.4f", loss) : "-"; }

std::string TimeText(double seconds) {
  if (!std::isfinite(seconds) || seconds < 0) return "-";
  const auto whole = static_cast<int64_t>(std::llround(seconds));
  if (whole >= 3600) return absl::StrFormat("%dh %02dm", whole / 3600, whole / 60 % 60);
  if (whole >= 60) return absl::StrFormat("%dm %02ds", whole / 60, whole % 60);
  return absl::StrFormat("%d s", whole);
}

std::string StateText(const v1::JobInfo& job) {
  if (job.queue_place() == 0) return job.state();
  return absl::StrCat(job.state(), ", number ", job.queue_place(), " in the queue");
}

std::string TroubleText(const v1::JobInfo& job, const std::string& before) {
  if (job.state() != "running" || job.reason() == before) return "";
  if (!job.reason().empty()) return absl::StrCat("warning: ", job.reason(), "; training goes on");
  return absl::StrCat("the checkpoint of step ", job.checkpoint_step(), " is stored");
}

std::string WireWarning::Note(const v1::JobInfo& job) {
  constexpr double kShareMost = 0.25;
  constexpr uint64_t kSteps = 20;  // so long it must last
  if (job.state() != "running" || job.ranks_size() < 2 || job.wire_share() <= kShareMost) {
    since_.reset();
    return "";
  }
  if (!since_) since_ = job.step();
  if (told_ || job.step() < *since_ + kSteps) return "";
  told_ = true;
  return absl::StrFormat(
      "warning: the first worker waits for the others in %.0f %% of each step: "
      "with a larger --batch, or fewer --workers, they compute for more of the time",
      job.wire_share() * 100);
}

std::string MeasurementsText(const v1::JobInfo& job) {
  std::string text = absl::StrCat("loss ", LossText(job.loss()));
  if (std::isfinite(job.validation_loss())) absl::StrAppend(&text, "  validation ", LossText(job.validation_loss()));
  absl::StrAppend(&text, absl::StrFormat("  %.0f tokens/s  |g| %.2f", job.tokens_per_second(), job.gradient_norm()));
  if (job.mfu() > 0) absl::StrAppend(&text, absl::StrFormat("  MFU %.0f %%", job.mfu() * 100));
  absl::StrAppend(&text, absl::StrFormat("  wire %.0f %%", job.wire_share() * 100));
  if (job.seconds_left() > 0) absl::StrAppend(&text, "  ", TimeText(job.seconds_left()), " left");
  return text;
}

bool HasEnded(const v1::JobInfo& job) {
  return job.state() == "done" || job.state() == "failed" || job.state() == "cancelled";
}

absl::Status OutcomeOf(const v1::JobInfo& job) {
  const std::string what = absl::StrCat("job ", job.job(), " (", job.model(), ") ");
  std::string how = absl::StrCat("; `enigma jobs resume ", job.job(), "` goes on from step ", job.checkpoint_step());
  // The same steps come to the same bits.
  if (job.state() == "failed" && absl::StrContains(job.reason(), "not finite")) {
    how = absl::StrFormat(
        "; going on would come to the same. Train anew with a lower --lr (it was %.2g at step %d), "
        "a longer --warmup, or a smaller --clip; the newest checkpoint is of step %d",
        job.learning_rate(), job.step(), job.checkpoint_step());
  }
  if (job.state() == "failed") return absl::FailedPreconditionError(absl::StrCat(what, "failed: ", job.reason(), how));
  if (job.state() == "cancelled") return absl::CancelledError(absl::StrCat(what, "was cancelled", how));
  return absl::OkStatus();
}

std::string WhatNext(const v1::JobInfo& job) {
  if (job.state() == "done") {
    const std::string best = job.best_step() == 0
                                 ? std::string()
                                 : absl::StrCat(", best validation loss ", LossText(job.best_validation_loss()),
                                                " at step ", job.best_step());
    const std::string what = job.model_step() == 0 || job.model_step() >= job.step()
                                 ? absl::StrCat("loss ", LossText(job.loss()), best)
                                 : absl::StrCat("the weights of step ", job.model_step(), " of ", job.step(),
                                                ", whose validation loss ", LossText(job.best_validation_loss()),
                                                " is the best; the last is ", LossText(job.validation_loss()));
    return absl::StrCat(job.model(), " is registered (", what, "). To use it:\n  enigma load ", job.model(),
                        "\n  enigma generate --model ", job.model(), " \"...\"\n");
  }
  return absl::StrCat("Job ", job.job(), " goes on. To see it again, or to end it:\n  enigma jobs watch ", job.job(),
                      "\n  enigma jobs cancel ", job.job(), "\n");
}

absl::StatusOr<v1::JobInfo> FollowJob(ClusterClient& client, uint64_t job, uint64_t history, WatchOutput output,
                                      CallStopper& stopper) {
  v1::WatchJobRequest request;
  request.set_job(job);
  request.set_follow(true);
  request.set_history(history);
  JobScreen screen;
  v1::JobInfo last;
  absl::Time away_since = absl::InfiniteFuture();
  while (true) {
    const uint64_t seen = last.step();
    const absl::Status followed = FollowOnce(client, request, output, stopper, screen, last);
    if (HasEnded(last) || stopper.stopped()) return last;
    if (!absl::IsUnavailable(followed)) {
      ENIGMA_RETURN_IF_ERROR(followed);
      return absl::InternalError("the coordinator stopped telling of the job");
    }
    const grpc::Status away(grpc::StatusCode::UNAVAILABLE, std::string(followed.message()));
    if (last.job() == 0) return client.Explain(away);
    const absl::Time now = absl::Now();
    if (away_since == absl::InfiniteFuture() || last.step() != seen) {
      away_since = now;
      if (output == WatchOutput::kLines) screen.Away(away.error_message());
    }
    if (now - away_since > kAwayPatience) return client.Explain(away);
    request.set_history(0);
    absl::SleepFor(kAskAgain);
  }
}

}  // namespace enigma::cli
