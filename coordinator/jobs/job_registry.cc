#include "coordinator/jobs/job_registry.h"

#include <utility>

#include <absl/strings/numbers.h>
#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "base/text.h"
#include "coordinator/state/model_registry.h"
#include "coordinator/state/record_json.h"

namespace enigma::coordinator {
namespace {

constexpr char kJobPrefix[] = "job/";
constexpr char kPointsPrefix[] = "job-points/";
constexpr char kCounterKey[] = "meta/next_job";
constexpr char kBeingSubmitted[] = "being submitted";

std::string KeyOf(uint64_t id) { return absl::StrCat(kJobPrefix, id); }
std::string PointsKeyOf(uint64_t id) { return absl::StrCat(kPointsPrefix, id); }

absl::Status NameTaken(const std::string& model, uint64_t by, std::string_view state) {
  return absl::AlreadyExistsError(absl::StrCat("job ", by, " (", ToAbsl(state), ") makes a model called '", model,
                                               "' already; wait for it, `enigma jobs cancel ", by,
                                               "`, or choose another name"));
}

// Of a job that has not ended.
absl::Status CheckAgainst(uint64_t id, const std::string& makes, const std::string& base, std::string_view state,
                          std::string_view model, ModelChange change) {
  const std::string what_to_do = absl::StrCat("wait for it, or `enigma jobs cancel ", id, "` first");
  if (makes == model && (change == ModelChange::kAdd || change == ModelChange::kTake))
    return NameTaken(makes, id, state);
  if (makes == model) {
    return absl::FailedPreconditionError(
        absl::StrCat("'", makes, "' is what job ", id, " (", ToAbsl(state), ") makes; ", what_to_do));
  }
  if (base == model && change != ModelChange::kAdd) {
    return absl::FailedPreconditionError(absl::StrCat("job ", id, " (", ToAbsl(state), "), which makes '", makes,
                                                      "', starts from '", base, "'; ", what_to_do));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status JobRegistry::Restore() {
  absl::MutexLock lock(&mutex_);
  ENIGMA_RETURN_IF_ERROR(store_.Scan(kJobPrefix, [this](std::string_view key, std::string_view value) -> absl::Status {
    mutex_.AssertHeld();
    ENIGMA_ASSIGN_OR_RETURN(Job job, JobFromRecord(key, value));
    const uint64_t id = job.id;
    jobs_[id].job = std::move(job);
    return absl::OkStatus();
  }));
  for (auto& [id, entry] : jobs_) {
    const absl::StatusOr<std::string> record = store_.Get(PointsKeyOf(id));
    if (absl::IsNotFound(record.status())) continue;
    ENIGMA_RETURN_IF_ERROR(record.status());
    ENIGMA_ASSIGN_OR_RETURN(entry.history, JobHistory::FromRecord(PointsKeyOf(id), *record));
  }
  return absl::OkStatus();
}

absl::StatusOr<uint64_t> JobRegistry::Reserve(const std::string& model, const std::string& base_model) {
  ENIGMA_RETURN_IF_ERROR(CheckModelName(model));
  absl::MutexLock lock(&mutex_);
  for (const auto& [id, entry] : jobs_) {
    if (entry.job.model == model && IsLive(entry.job.state)) {
      return NameTaken(model, id, JobStateName(entry.job.state));
    }
  }
  for (const auto& [id, reservation] : reserved_) {
    if (reservation.model == model) return NameTaken(model, id, kBeingSubmitted);
  }
  uint64_t next = 1;
  const absl::StatusOr<std::string> stored = store_.Get(kCounterKey);
  if (!stored.ok() && !absl::IsNotFound(stored.status())) return stored.status();
  if (stored.ok() && !absl::SimpleAtoi(*stored, &next)) return CorruptRecord(kCounterKey, "not a number");
  ENIGMA_RETURN_IF_ERROR(store_.Put(kCounterKey, absl::StrCat(next + 1)));
  reserved_[next] = {.model = model, .base_model = base_model};
  return next;
}

void JobRegistry::Release(uint64_t id) {
  absl::MutexLock lock(&mutex_);
  reserved_.erase(id);
}

absl::Status JobRegistry::Add(Job job) {
  absl::MutexLock lock(&mutex_);
  const auto reserved = reserved_.find(job.id);
  if (reserved == reserved_.end() || reserved->second.model != job.model) {
    return absl::InternalError(absl::StrCat("job ", job.id, " for '", job.model, "' was not reserved"));
  }
  job.state = JobState::kQueued;
  Entry entry;
  entry.job = std::move(job);
  ENIGMA_RETURN_IF_ERROR(Save(entry));
  reserved_.erase(reserved);
  const uint64_t id = entry.job.id;
  jobs_.insert_or_assign(id, std::move(entry));
  return absl::OkStatus();
}

absl::Status JobRegistry::NoSuchJob(uint64_t id) const {
  std::string known;
  for (const auto& [other, entry] : jobs_) absl::StrAppend(&known, known.empty() ? "" : ", ", other);
  return absl::NotFoundError(absl::StrCat("there is no job ", id, known.empty() ? "" : "; there are: ", known));
}

absl::StatusOr<JobRegistry::Entry*> JobRegistry::FindEntry(uint64_t id) {
  const auto found = jobs_.find(id);
  if (found == jobs_.end()) return NoSuchJob(id);
  return &found->second;
}

absl::StatusOr<Job> JobRegistry::Find(uint64_t id) const {
  absl::MutexLock lock(&mutex_);
  const auto found = jobs_.find(id);
  if (found == jobs_.end()) return NoSuchJob(id);
  return found->second.job;
}

std::vector<Job> JobRegistry::List() const {
  absl::MutexLock lock(&mutex_);
  std::vector<Job> list;
  list.reserve(jobs_.size());
  for (const auto& [id, entry] : jobs_) list.push_back(entry.job);
  return list;
}

std::vector<JobPoint> JobRegistry::History(uint64_t id, size_t points_max) const {
  absl::MutexLock lock(&mutex_);
  const auto found = jobs_.find(id);
  return found == jobs_.end() ? std::vector<JobPoint>() : found->second.history.Sample(points_max);
}

absl::Status JobRegistry::Save(const Entry& entry) {
  return store_.Apply(
      {{KeyOf(entry.job.id), RecordOfJob(entry.job)}, {PointsKeyOf(entry.job.id), entry.history.ToRecord()}});
}

absl::Status JobRegistry::Move(uint64_t id, JobState to, std::string_view reason) {
  absl::MutexLock lock(&mutex_);
  ENIGMA_ASSIGN_OR_RETURN(Entry* const entry, FindEntry(id));
  if (entry->job.state != to && !MayMove(entry->job.state, to)) {
    return absl::FailedPreconditionError(absl::StrCat("job ", id, " is ", ToAbsl(JobStateName(entry->job.state)),
                                                      " and cannot become ", ToAbsl(JobStateName(to))));
  }
  if (to == JobState::kQueued) {
    for (const auto& [other, its] : jobs_) {
      if (other != id && its.job.model == entry->job.model && IsLive(its.job.state))
        return NameTaken(its.job.model, other, JobStateName(its.job.state));
    }
  }
  Entry moved = *entry;
  moved.job.state = to;
  moved.job.reason = std::string(reason);
  if (to == JobState::kQueued) moved.job.cancel_requested = false;
  moved.job.ended_unix_ms = IsLive(to) ? 0 : absl::ToUnixMillis(clock_.Now());
  if (!IsLive(to)) moved.job.members.clear();
  ENIGMA_RETURN_IF_ERROR(Save(moved));
  ++moved.version;
  *entry = std::move(moved);
  return absl::OkStatus();
}

absl::Status JobRegistry::Update(uint64_t id, absl::FunctionRef<void(Job& job)> change) {
  absl::MutexLock lock(&mutex_);
  ENIGMA_ASSIGN_OR_RETURN(Entry* const entry, FindEntry(id));
  Entry changed = *entry;
  change(changed.job);
  ENIGMA_RETURN_IF_ERROR(Save(changed));
  ++changed.version;
  *entry = std::move(changed);
  return absl::OkStatus();
}

void JobRegistry::Note(uint64_t id, absl::FunctionRef<void(Job& job, JobHistory& history)> change) {
  absl::MutexLock lock(&mutex_);
  const auto found = jobs_.find(id);
  if (found == jobs_.end()) return;
  change(found->second.job, found->second.history);
  ++found->second.version;
}

absl::Status JobRegistry::Remove(uint64_t id) {
  absl::MutexLock lock(&mutex_);
  ENIGMA_ASSIGN_OR_RETURN(Entry* const entry, FindEntry(id));
  if (IsLive(entry->job.state)) {
    return absl::FailedPreconditionError(absl::StrCat("job ", id, " is ", ToAbsl(JobStateName(entry->job.state)),
                                                      "; `enigma jobs cancel ", id, "` first"));
  }
  ENIGMA_RETURN_IF_ERROR(store_.Apply({{KeyOf(id), std::nullopt}, {PointsKeyOf(id), std::nullopt}}));
  jobs_.erase(id);
  return absl::OkStatus();
}

absl::Status JobRegistry::CheckModelChange(std::string_view model, ModelChange change) const {
  absl::MutexLock lock(&mutex_);
  for (const auto& [id, entry] : jobs_) {
    const Job& job = entry.job;
    // What is added while a job exports is what it made.
    const bool adds = change == ModelChange::kAdd || change == ModelChange::kTake;
    const bool made = job.state == JobState::kExporting && adds && job.model == model;
    if (!IsLive(job.state) || made) continue;
    ENIGMA_RETURN_IF_ERROR(CheckAgainst(id, job.model, job.base_model, JobStateName(job.state), model, change));
  }
  for (const auto& [id, job] : reserved_) {
    ENIGMA_RETURN_IF_ERROR(CheckAgainst(id, job.model, job.base_model, kBeingSubmitted, model, change));
  }
  return absl::OkStatus();
}

uint64_t JobRegistry::Version(uint64_t id) const {
  absl::MutexLock lock(&mutex_);
  const auto found = jobs_.find(id);
  return found == jobs_.end() ? 0 : found->second.version;
}

void JobRegistry::AwaitChange(uint64_t id, uint64_t version, absl::Duration timeout) const {
  absl::MutexLock lock(&mutex_);
  const auto changed = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    const auto found = jobs_.find(id);
    return found == jobs_.end() || found->second.version != version;
  };
  mutex_.AwaitWithTimeout(absl::Condition(&changed), timeout);
}

}  // namespace enigma::coordinator
