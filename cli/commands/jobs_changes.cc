// `enigma jobs cancel|resume|rm ID`.
#include <cstdio>
#include <functional>
#include <memory>

#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "cli/cluster/cluster_client.h"
#include "cli/commands/commands.h"
#include "cli/output/format.h"

namespace enigma::cli {

namespace {

struct ChangeFlags {
  ClusterFlags cluster;
  uint64_t job = 0;
  bool json = false;
};

using Change = std::function<grpc::Status(v1::Training::Stub& training, grpc::ClientContext* context, uint64_t job)>;

absl::Status RunChange(const ChangeFlags& flags, const char* act, const char* sentence, const Change& change) {
  ENIGMA_ASSIGN_OR_RETURN(const auto client, ClusterClient::Open(flags.cluster));
  ENIGMA_RETURN_IF_ERROR(client->Explain(change(client->training(), QuickCall().get(), flags.job)));
  if (flags.json) {
    PrintJson({{"job", flags.job}, {"done", act}});
  } else {
    std::printf("job %llu %s\n", static_cast<unsigned long long>(flags.job), sentence);
  }
  return absl::OkStatus();
}

void AddChange(Command& jobs, const char* name, const char* help, const char* sentence, Change change) {
  Command command = jobs.Add(name, help);
  auto flags = std::make_shared<ChangeFlags>();
  flags->cluster.AddTo(command);
  command.Number("ID", flags->job, "the job's number, as `enigma jobs` lists it").Required();
  command.Switch("--json", flags->json, "as JSON");
  command.Examples({absl::StrCat("enigma jobs ", name, " 3")});
  command.Does([=, change = std::move(change)] { return RunChange(*flags, name, sentence, change); });
}

}  // namespace

void AddJobsChanges(Command& jobs) {
  AddChange(jobs, "cancel", "end a job after the step under way; what it has learned stays in a checkpoint",
            "ends after the step under way; `enigma jobs resume` goes on with it",
            [](v1::Training::Stub& training, grpc::ClientContext* context, uint64_t job) {
              v1::CancelJobRequest request;
              request.set_job(job);
              v1::CancelJobReply reply;
              return training.Cancel(context, request, &reply);
            });
  AddChange(jobs, "resume", "go on with a job that was cancelled or failed, from its newest checkpoint",
            "waits for its turn; `enigma jobs watch` shows it",
            [](v1::Training::Stub& training, grpc::ClientContext* context, uint64_t job) {
              v1::ResumeJobRequest request;
              request.set_job(job);
              v1::ResumeJobReply reply;
              return training.Resume(context, request, &reply);
            });
  AddChange(jobs, "rm", "forget a job that has ended, with its data and checkpoints", "is removed with all its files",
            [](v1::Training::Stub& training, grpc::ClientContext* context, uint64_t job) {
              v1::RemoveJobRequest request;
              request.set_job(job);
              v1::RemoveJobReply reply;
              return training.Remove(context, request, &reply);
            });
}

}  // namespace enigma::cli
