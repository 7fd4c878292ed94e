#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <utility>

#include <absl/base/thread_annotations.h>
#include <absl/status/statusor.h>
#include <absl/synchronization/mutex.h>

namespace enigma::worker {

class RankMesh;

// The epochs of jobs for which this worker takes streams of other ranks. Thread-safe; one for a worker.
class IncomingStreams {
 public:
  // FailedPrecondition where this epoch or a later one of the job has been here before: an epoch is opened once. The
  // mesh is shared, because streams may hold it for longer than it is open.
  absl::Status Add(uint64_t job, uint64_t epoch, std::shared_ptr<RankMesh> mesh);
  void Remove(uint64_t job, uint64_t epoch);

  // NotFound where the epoch has not begun here: the sender may try again. FailedPrecondition where it is over.
  absl::StatusOr<std::shared_ptr<RankMesh>> Find(uint64_t job, uint64_t epoch) const;

 private:
  mutable absl::Mutex mutex_;
  std::map<std::pair<uint64_t, uint64_t>, std::shared_ptr<RankMesh>> open_ ABSL_GUARDED_BY(mutex_);
  std::map<uint64_t, uint64_t> newest_ ABSL_GUARDED_BY(mutex_);  // epoch of each job that was ever here
};

}  // namespace enigma::worker
