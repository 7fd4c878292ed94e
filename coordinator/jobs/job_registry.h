#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <absl/base/thread_annotations.h>
#include <absl/functional/function_ref.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/synchronization/mutex.h>
#include <absl/time/time.h>

#include "base/clock.h"
#include "coordinator/jobs/job.h"
#include "coordinator/jobs/job_history.h"
#include "coordinator/state/model_registry.h"
#include "coordinator/store/store.h"

namespace enigma::coordinator {

// Every job and its course, across restarts: store keys "job/<id>", "job-points/<id>" and "meta/next_job". Thread-safe.
class JobRegistry {
 public:
  JobRegistry(Store& store, const Clock& clock) : store_(store), clock_(clock) {}

  // DATA_LOSS names the key of a corrupt record.
  absl::Status Restore();

  // An id, larger than every one before, and the name of what is made, for a job whose data are being prepared; and the
  // model that it starts from (empty: none), which nobody may take away from now on.
  // ALREADY_EXISTS, naming it, where a job that has not ended makes a model of that name.
  absl::StatusOr<uint64_t> Reserve(const std::string& model, const std::string& base_model = "");
  // Gives a reservation back. Nothing where there is none.
  void Release(uint64_t id);
  // Turns the reservation of `job.id` into a job that is queued.
  absl::Status Add(Job job);

  // NOT_FOUND names the jobs there are.
  absl::StatusOr<Job> Find(uint64_t id) const;
  std::vector<Job> List() const;  // by id
  std::vector<JobPoint> History(uint64_t id, size_t points_max) const;

  // Moves the job and stores it. FAILED_PRECONDITION names both states where that is no legal move; the state it has
  // already, for another reason, is one. ALREADY_EXISTS where it is queued again and another job makes a model of that
  // name meanwhile.
  absl::Status Move(uint64_t id, JobState to, std::string_view reason = "");
  // Changes what is known of the job and stores it with its history. `change` must not change id, model or state.
  absl::Status Update(uint64_t id, absl::FunctionRef<void(Job& job)> change);
  // The same, in memory: for what changes with every step. What was noted is stored with the next Update or Move.
  void Note(uint64_t id, absl::FunctionRef<void(Job& job, JobHistory& history)> change);
  // Of a job that has ended; FAILED_PRECONDITION of another one.
  absl::Status Remove(uint64_t id);

  // Whether no job that has not ended, or is being submitted, stands against a change of the models: what it starts
  // from stays as it is, and the name of what it makes is its own. The error names the job and what to do.
  absl::Status CheckModelChange(std::string_view model, ModelChange change) const;

  // Counts the changes of a job, from 1; 0: there is no such job.
  uint64_t Version(uint64_t id) const;
  // Waits until the version is another one, `timeout` at most.
  void AwaitChange(uint64_t id, uint64_t version, absl::Duration timeout) const;

 private:
  struct Entry {
    Job job;
    JobHistory history;
    uint64_t version = 1;
  };
  absl::StatusOr<Entry*> FindEntry(uint64_t id) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status Save(const Entry& entry) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status NoSuchJob(uint64_t id) const ABSL_SHARED_LOCKS_REQUIRED(mutex_);

  Store& store_;
  const Clock& clock_;
  mutable absl::Mutex mutex_;
  std::map<uint64_t, Entry> jobs_ ABSL_GUARDED_BY(mutex_);
  struct Reservation {
    std::string model;
    std::string base_model;
  };
  std::map<uint64_t, Reservation> reserved_ ABSL_GUARDED_BY(mutex_);  // by id of the job to come
};

}  // namespace enigma::coordinator
