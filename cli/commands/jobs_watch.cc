// `enigma jobs watch ID`: how a training job goes, until it has ended.
#include <cstdio>
#include <memory>

#include "base/status_macros.h"
#include "cli/cluster/cluster_client.h"
#include "cli/commands/commands.h"
#include "cli/training/watch_job.h"

namespace enigma::cli {

namespace {

struct WatchFlags {
  ClusterFlags cluster;
  uint64_t job = 0;
  uint64_t history = 0;
  bool json = false;
};

absl::Status RunWatch(const WatchFlags& flags) {
  CallStopper stopper;
  ENIGMA_ASSIGN_OR_RETURN(const auto client, ClusterClient::Open(flags.cluster));
  const WatchOutput output = flags.json ? WatchOutput::kJson : WatchOutput::kLines;
  ENIGMA_ASSIGN_OR_RETURN(v1::JobInfo job, FollowJob(*client, flags.job, flags.history, output, stopper));
  job.set_job(flags.job);
  ENIGMA_RETURN_IF_ERROR(OutcomeOf(job));
  if (!flags.json) std::fputs(WhatNext(job).c_str(), HasEnded(job) ? stdout : stderr);
  return absl::OkStatus();
}

}  // namespace

void AddJobsWatch(Command& jobs) {
  Command command = jobs.Add("watch", "follow a job until it has ended; Ctrl-C leaves it running");
  auto flags = std::make_shared<WatchFlags>();
  flags->cluster.AddTo(command);
  command.Number("ID", flags->job, "the job's number, as `enigma jobs` lists it").Required();
  command.Number("--history", flags->history, "steps of the past to begin with, spread over all (default 0)", "N")
      .AtMost(100'000);
  command.Switch("--json", flags->json, "each update as a line of JSON");
  command.Examples({"enigma jobs watch 3", "enigma jobs watch 3 --json --history 1000 > course.jsonl"});
  command.Does([flags] { return RunWatch(*flags); });
}

}  // namespace enigma::cli
