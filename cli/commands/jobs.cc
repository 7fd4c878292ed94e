// `enigma jobs`: what was, is and will be trained; its sub-commands are in files of their own.
#include <cstdio>
#include <memory>

#include <absl/strings/str_cat.h>
#include <absl/strings/str_format.h>
#include <absl/time/time.h>

#include "base/status_macros.h"
#include "base/text.h"
#include "cli/cluster/cluster_client.h"
#include "cli/commands/commands.h"
#include "cli/training/job_json.h"
#include "cli/training/watch_job.h"

namespace enigma::cli {

namespace {

std::string WithReason(const v1::JobInfo& job) {
  return job.reason().empty() ? StateText(job) : absl::StrCat(StateText(job), " (", job.reason(), ")");
}

absl::Status RunJobs(const ClusterFlags& flags, bool json) {
  ENIGMA_ASSIGN_OR_RETURN(const auto client, ClusterClient::Open(flags));
  v1::ListJobsReply reply;
  ENIGMA_RETURN_IF_ERROR(client->Explain(client->training().List(QuickCall().get(), {}, &reply)));
  if (json) {
    Json jobs = Json::array();
    for (const v1::JobInfo& job : reply.jobs()) jobs.push_back(ToJson(job));
    PrintJson({{"jobs", std::move(jobs)}});
    return absl::OkStatus();
  }
  Table table({"JOB", "MODEL", "TASK", "STEP", "LOSS", "VALIDATION", "TOKENS/S", "LEFT", "SUBMITTED", "STATE"},
              {0, 3, 4, 5, 6, 7});
  for (const v1::JobInfo& job : reply.jobs()) {
    const absl::Time submitted = absl::FromUnixMillis(job.submitted_unix_ms());
    table.AddRow({absl::StrCat(job.job()), job.model(), job.task().empty() ? "-" : job.task(),
                  absl::StrCat(job.step(), "/", job.steps()), LossText(job.loss()), LossText(job.validation_loss()),
                  job.tokens_per_second() > 0 ? absl::StrFormat("%.0f", job.tokens_per_second()) : "-",
                  job.seconds_left() > 0 ? TimeText(job.seconds_left()) : "-",
                  ToString(absl::FormatTime("%Y-%m-%d %H:%M", submitted, absl::LocalTimeZone())), WithReason(job)});
  }
  std::fputs(table.Render().c_str(), stdout);
  if (reply.jobs().empty()) {
    std::fputs("There is no job: `enigma train --data PATH --size nano --name MODEL` begins one.\n", stderr);
  }
  return absl::OkStatus();
}

}  // namespace

void AddJobs(Command& root) {
  Command jobs = root.Add("jobs", "training jobs; watch, cancel, resume, rm");
  Command list = jobs.Add("list", "the same as `enigma jobs` alone");
  for (Command* command : {&jobs, &list}) {
    auto flags = std::make_shared<ClusterFlags>();
    auto json = std::make_shared<bool>(false);
    flags->AddTo(*command);
    command->Switch("--json", *json, "as JSON");
    command->Does([flags, json] { return RunJobs(*flags, *json); });
  }
  AddJobsWatch(jobs);
  AddJobsChanges(jobs);
}

}  // namespace enigma::cli
