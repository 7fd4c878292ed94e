#include "coordinator/jobs/job_keeper.h"

#include <array>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "base/text.h"
#include "coordinator/jobs/base_model.h"
#include "coordinator/jobs/job_planner.h"
#include "engine/spec/training_config.h"
#include "engine/spec/training_memory.h"
#include "telemetry/log.h"

namespace enigma::coordinator {

JobKeeper::JobKeeper(ControlPlane& plane, JobRegistry& jobs, JobFolders& folders, const Options& options)
    : plane_(plane), jobs_(jobs), folders_(folders), options_(options) {}

JobKeeper::~JobKeeper() { Stop(); }

void JobKeeper::Start() {
  std::set<uint64_t> known;
  for (const Job& job : jobs_.List()) {
    known.insert(job.id);
  }
  if (const absl::Status removed = folders_.RemoveAllBut(known); !removed.ok()) LogWarn("{}", Describe(removed));
  grace_until_ = plane_.clock.Monotonic() + options_.return_grace;
  thread_ = std::thread([this] { Run(); });
}

void JobKeeper::Stop() {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
  }
  if (thread_.joinable()) thread_.join();
  std::map<uint64_t, std::unique_ptr<JobRunner>> runners;
  {
    absl::MutexLock lock(&mutex_);
    runners.swap(runners_);
  }
}

void JobKeeper::Wake() {
  absl::MutexLock lock(&mutex_);
  woken_ = true;
  for (const auto& [id, runner] : runners_) runner->Wake();
}

void JobKeeper::Run() {
  while (true) {
    {
      absl::MutexLock lock(&mutex_);
      const auto something = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return stopping_ || woken_; };
      mutex_.AwaitWithTimeout(absl::Condition(&something), options_.period);
      if (stopping_) return;
      woken_ = false;
    }
    TakeUp();
    CountStates();
  }
}

void JobKeeper::TakeUp() {
  std::vector<std::unique_ptr<JobRunner>> ended;
  absl::MutexLock lock(&mutex_);
  std::set<uint64_t> running;
  for (auto& [id, runner] : runners_) {
    if (runner->ended()) {
      ended.push_back(std::move(runner));
    } else {
      running.insert(id);
    }
  }
  std::erase_if(runners_, [](const auto& entry) { return entry.second == nullptr; });
  // Cancelled while an earlier runner of theirs said farewell, or before they had one.
  for (const Job& job : jobs_.List()) {
    if (job.state != JobState::kQueued || !job.cancel_requested || running.contains(job.id)) continue;
    if (const absl::Status moved = jobs_.Move(job.id, JobState::kCancelled, "as asked"); !moved.ok()) {
      LogWarn("job {}: {}", job.id, Describe(moved));
    }
  }
  JobRoom room = {.under_way_max = options_.under_way_max};
  for (const Node& node : plane_.nodes.List()) room.nodes += node.state == NodeState::kReady && !node.leaving ? 1 : 0;
  // Listed after that: who has ended has moved its job before.
  const std::vector<uint64_t> next = NextJobs(jobs_.List(), running, room);
  // Of jobs that are taken over, all have their members before one of them looks for more.
  for (const uint64_t id : next) {
    const absl::StatusOr<Job> job = jobs_.Find(id);
    if (!job.ok()) continue;
    for (const std::string& member : job->members) {
      if (!claims_.Take(id, member, plane_.clock.Monotonic()))
        LogWarn("job {}: another job has its node {}", id, member);
    }
  }
  for (const uint64_t id : next) {
    if (!running.empty() && !HasRoom(id)) continue;
    runners_.emplace(id,
                     std::make_unique<JobRunner>(plane_, jobs_, folders_, claims_, id, grace_until_, options_.runner));
  }
}

bool JobKeeper::HasRoom(uint64_t id) const {
  const absl::StatusOr<Job> job = jobs_.Find(id);
  if (!job.ok()) return false;
  if (job->state != JobState::kQueued) return true;  // it is under way
  const absl::StatusOr<engine::TrainingConfig> config = engine::TrainingConfigFromJson(job->config_json);
  if (!config.ok()) return true;  // its runner says what is wrong
  RankNeeds needs;
  needs.memory_bytes = engine::TrainingMemoryBytes(*config);
  needs.ranks_max = job->workers_max;
  needs.trusted_network = job->gloo;
  needs.taken = claims_.OfOthers(id);
  return !ChooseRanks(plane_.nodes.List(), needs).nodes.empty();
}

void JobKeeper::CountStates() {
  std::array<int, kJobStates> count{};
  for (const Job& job : jobs_.List()) ++count[static_cast<size_t>(job.state)];
  for (size_t i = 0; i < kJobStates; ++i) {
    const std::string state(JobStateName(static_cast<JobState>(i)));
    plane_.metrics.Gauge(Metric::kJobs, {{"state", state}}).Set(count[i]);
  }
}

absl::Status JobKeeper::Cancel(uint64_t id) {
  ENIGMA_ASSIGN_OR_RETURN(const Job job, jobs_.Find(id));
  if (!IsLive(job.state)) {
    return absl::FailedPreconditionError(absl::StrCat("job ", id, " is ", ToAbsl(JobStateName(job.state)), " already"));
  }
  ENIGMA_RETURN_IF_ERROR(jobs_.Update(id, [](Job& its) { its.cancel_requested = true; }));
  absl::MutexLock lock(&mutex_);
  const auto runner = runners_.find(id);
  if (runner != runners_.end()) {
    runner->second->Wake();
    return absl::OkStatus();
  }
  if (job.state == JobState::kQueued) return jobs_.Move(id, JobState::kCancelled, "as asked");
  woken_ = true;  // its ranks are there: the runner that takes it over ends them
  return absl::OkStatus();
}

absl::Status JobKeeper::Resume(uint64_t id) {
  ENIGMA_ASSIGN_OR_RETURN(const Job job, jobs_.Find(id));
  if (IsLive(job.state) || job.state == JobState::kDone) {
    return absl::FailedPreconditionError(absl::StrCat("job ", id, " is ", ToAbsl(JobStateName(job.state)),
                                                      "; only one that failed or was cancelled can go on"));
  }
  if (const auto known = plane_.models.Find(job.model); known.ok() && !(*known)->shipped) {
    return absl::AlreadyExistsError(absl::StrCat(
        "a model called '", job.model, "' is registered meanwhile; `enigma models rm ", job.model, "` first"));
  }
  ENIGMA_RETURN_IF_ERROR(BaseOfJob(plane_.models, job).status());
  ENIGMA_RETURN_IF_ERROR(jobs_.Move(id, JobState::kQueued, "to go on"));
  Wake();
  return absl::OkStatus();
}

absl::Status JobKeeper::Remove(uint64_t id) {
  ENIGMA_ASSIGN_OR_RETURN(const Job job, jobs_.Find(id));
  for (const ModelPtr& model : plane_.models.List()) {
    if (!model->path.starts_with(folders_.PathOf(id) + "/")) continue;
    return absl::FailedPreconditionError(absl::StrCat("the model '", model->name,
                                                      "' is registered from the files of job ", id,
                                                      "; `enigma models rm ", model->name, "` first"));
  }
  ENIGMA_RETURN_IF_ERROR(jobs_.Remove(id));
  return folders_.Remove(id);
}

}  // namespace enigma::coordinator
