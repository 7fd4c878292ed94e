#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include <absl/base/thread_annotations.h>
#include <absl/container/flat_hash_map.h>
#include <absl/status/statusor.h>
#include <absl/synchronization/mutex.h>

#include "worker/pipeline/stage_executor.h"

namespace enigma::worker {

// The stages of this worker, by replica. Thread-safe. Stages are shared with calls in progress, briefly: nobody keeps
// one.
class StageRegistry {
 public:
  // Keeps a replica id while its stage is being loaded. AlreadyExists when it is taken. The number returned is to be
  // shown to Insert.
  absl::StatusOr<uint64_t> Reserve(uint64_t replica);
  void Release(uint64_t replica);
  // Aborted when all stages were unloaded since the reservation.
  absl::Status Insert(uint64_t reservation, std::shared_ptr<StageExecutor> stage);

  absl::StatusOr<std::shared_ptr<StageExecutor>> Find(uint64_t replica) const;
  absl::Status Remove(uint64_t replica);
  void Clear();

  std::vector<v1::StageStatus> Statuses() const;
  uint64_t MemoryBytes() const;  // of all stages

 private:
  mutable absl::Mutex mutex_;
  absl::flat_hash_map<uint64_t, std::shared_ptr<StageExecutor>> stages_ ABSL_GUARDED_BY(mutex_);  // null: reserved
  uint64_t generation_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace enigma::worker
