#pragma once

#include <cstdint>
#include <memory>
#include <type_traits>
#include <utility>
#include <vector>

#include <absl/base/thread_annotations.h>
#include <absl/container/flat_hash_map.h>
#include <absl/status/statusor.h>
#include <absl/strings/str_cat.h>
#include <absl/synchronization/mutex.h>

#include "worker/pipeline/encoder_stage.h"
#include "worker/pipeline/stage_executor.h"

namespace enigma::worker {

// What this worker has of replicas, by replica: `Held` is StageExecutor or EncoderStage. Thread-safe. Stages are shared
// with calls in progress, briefly: nobody keeps one.
template <class Held>
class ReplicaRegistry {
 public:
  using HeldPtr = std::shared_ptr<Held>;

  // Keeps a replica id while its stage is being loaded. AlreadyExists when it is taken. The number returned is to be
  // shown to Insert.
  absl::StatusOr<uint64_t> Reserve(uint64_t replica) {
    absl::MutexLock lock(&mutex_);
    if (!held_.try_emplace(replica).second) {
      return absl::AlreadyExistsError(absl::StrCat("replica ", replica, " is loaded here, or being loaded"));
    }
    return generation_;
  }
  void Release(uint64_t replica) {
    absl::MutexLock lock(&mutex_);
    const auto found = held_.find(replica);
    if (found != held_.end() && found->second == nullptr) held_.erase(found);
  }
  // Aborted when all stages were unloaded since the reservation.
  absl::Status Insert(uint64_t reservation, HeldPtr stage) {
    absl::MutexLock lock(&mutex_);
    if (reservation != generation_) {
      return absl::AbortedError("the connection to the coordinator was lost while the stage was being loaded");
    }
    const uint64_t replica = stage->options().replica;
    held_[replica] = std::move(stage);
    return absl::OkStatus();
  }

  absl::StatusOr<HeldPtr> Find(uint64_t replica) const {
    absl::MutexLock lock(&mutex_);
    const auto found = held_.find(replica);
    if (found == held_.end() || found->second == nullptr) return NotHere(replica);
    return found->second;
  }
  absl::Status Remove(uint64_t replica) {
    HeldPtr stage;  // ends outside of the lock: it joins a thread
    absl::MutexLock lock(&mutex_);
    const auto found = held_.find(replica);
    if (found == held_.end() || found->second == nullptr) return NotHere(replica);
    stage = std::move(found->second);
    held_.erase(found);
    End(*stage);
    return absl::OkStatus();
  }
  void Clear() {
    absl::flat_hash_map<uint64_t, HeldPtr> ending;
    absl::MutexLock lock(&mutex_);
    ending.swap(held_);
    ++generation_;
    for (const auto& [replica, stage] : ending) {
      if (stage != nullptr) End(*stage);
    }
  }

  std::vector<v1::StageStatus> Statuses() const {
    absl::MutexLock lock(&mutex_);
    std::vector<v1::StageStatus> statuses;
    for (const auto& [replica, stage] : held_) {
      if (stage != nullptr) statuses.push_back(stage->Status());
    }
    return statuses;
  }
  uint64_t MemoryBytes() const {  // of all
    absl::MutexLock lock(&mutex_);
    uint64_t bytes = 0;
    for (const auto& [replica, stage] : held_) {
      if (stage != nullptr) bytes += stage->memory_bytes();
    }
    return bytes;
  }

 private:
  // Calls that wait for a picture hold its encoder, and end at once.
  static void End(Held& held) {
    if constexpr (std::is_same_v<Held, EncoderStage>) held.Close();
  }
  static absl::Status NotHere(uint64_t replica) {
    return absl::NotFoundError(absl::StrCat("replica ", replica, " is not loaded here"));
  }

  mutable absl::Mutex mutex_;
  absl::flat_hash_map<uint64_t, HeldPtr> held_ ABSL_GUARDED_BY(mutex_);  // null: reserved
  uint64_t generation_ ABSL_GUARDED_BY(mutex_) = 0;
};

using StageRegistry = ReplicaRegistry<StageExecutor>;
using EncoderRegistry = ReplicaRegistry<EncoderStage>;

}  // namespace enigma::worker
