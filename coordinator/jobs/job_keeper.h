#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <thread>

#include <absl/base/thread_annotations.h>
#include <absl/status/status.h>
#include <absl/synchronization/mutex.h>
#include <absl/time/time.h>

#include "coordinator/jobs/job_folders.h"
#include "coordinator/jobs/job_registry.h"
#include "coordinator/jobs/job_runner.h"
#include "coordinator/jobs/node_claims.h"
#include "coordinator/operations/control_plane.h"

namespace enigma::coordinator {

// Takes jobs up when it is their turn, those first that were under way when the coordinator stopped, and changes what
// people ask to be changed. Thread-safe.
class JobKeeper {
 public:
  struct Options {
    size_t under_way_max = 8;  // jobs at a time, on workers of their own; the others wait
    // After the start, for the nodes of jobs that were under way to come back.
    absl::Duration return_grace = absl::Seconds(10);
    absl::Duration period = absl::Milliseconds(200);
    JobRunner::Options runner = {};
  };
  // All must outlive it, and the registry be restored. Nothing begins before Start.
  JobKeeper(ControlPlane& plane, JobRegistry& jobs, JobFolders& folders, const Options& options);
  ~JobKeeper();

  // Once, when the plane is complete. Folders that belong to no job are removed.
  void Start();
  // Ends its threads; jobs and their ranks stay as they are. Idempotent.
  void Stop();
  // Something changed: a job is queued, a node came or went.
  void Wake();

  // The job ends after the step under way, with a checkpoint. FAILED_PRECONDITION when it has ended.
  absl::Status Cancel(uint64_t id);
  // A job that failed or was cancelled waits for its turn again, and goes on from its newest checkpoint.
  absl::Status Resume(uint64_t id);
  // Forgets a job that has ended, with its files. FAILED_PRECONDITION while it has not, or while its model is
  // registered from them.
  absl::Status Remove(uint64_t id);
  // Nodes that jobs have for themselves now.
  [[nodiscard]] std::set<std::string> NodesTaken() const { return claims_.Taken(); }

 private:
  void Run();
  void TakeUp();
  // Whether a job of the queue may use a node that no other job has.
  bool HasRoom(uint64_t id) const;
  void CountStates();

  ControlPlane& plane_;
  JobRegistry& jobs_;
  JobFolders& folders_;
  const Options options_;
  NodeClaims claims_;
  absl::Duration grace_until_;  // written before its thread exists
  absl::Mutex mutex_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  bool woken_ ABSL_GUARDED_BY(mutex_) = false;
  std::map<uint64_t, std::unique_ptr<JobRunner>> runners_ ABSL_GUARDED_BY(mutex_);
  std::thread thread_;
};

}  // namespace enigma::coordinator
