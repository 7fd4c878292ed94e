#include "worker/service/stage_registry.h"

#include <utility>

#include <absl/strings/str_cat.h>

namespace enigma::worker {

absl::StatusOr<uint64_t> StageRegistry::Reserve(uint64_t replica) {
  absl::MutexLock lock(&mutex_);
  if (!stages_.try_emplace(replica).second) {
    return absl::AlreadyExistsError(absl::StrCat("replica ", replica, " is loaded here, or being loaded"));
  }
  return generation_;
}

void StageRegistry::Release(uint64_t replica) {
  absl::MutexLock lock(&mutex_);
  const auto found = stages_.find(replica);
  if (found != stages_.end() && found->second == nullptr) stages_.erase(found);
}

absl::Status StageRegistry::Insert(uint64_t reservation, std::shared_ptr<StageExecutor> stage) {
  absl::MutexLock lock(&mutex_);
  if (reservation != generation_) {
    return absl::AbortedError("the connection to the coordinator was lost while the stage was being loaded");
  }
  const uint64_t replica = stage->options().replica;
  stages_[replica] = std::move(stage);
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<StageExecutor>> StageRegistry::Find(uint64_t replica) const {
  absl::MutexLock lock(&mutex_);
  const auto found = stages_.find(replica);
  if (found == stages_.end() || found->second == nullptr) {
    return absl::NotFoundError(absl::StrCat("replica ", replica, " is not loaded here"));
  }
  return found->second;
}

absl::Status StageRegistry::Remove(uint64_t replica) {
  std::shared_ptr<StageExecutor> stage;  // ends outside of the lock: it joins a thread
  absl::MutexLock lock(&mutex_);
  const auto found = stages_.find(replica);
  if (found == stages_.end() || found->second == nullptr) {
    return absl::NotFoundError(absl::StrCat("replica ", replica, " is not loaded here"));
  }
  stage = std::move(found->second);
  stages_.erase(found);
  return absl::OkStatus();
}

void StageRegistry::Clear() {
  absl::flat_hash_map<uint64_t, std::shared_ptr<StageExecutor>> ending;
  absl::MutexLock lock(&mutex_);
  ending.swap(stages_);
  ++generation_;
}

std::vector<v1::StageStatus> StageRegistry::Statuses() const {
  absl::MutexLock lock(&mutex_);
  std::vector<v1::StageStatus> statuses;
  for (const auto& [replica, stage] : stages_) {
    if (stage != nullptr) statuses.push_back(stage->Status());
  }
  return statuses;
}

uint64_t StageRegistry::MemoryBytes() const {
  absl::MutexLock lock(&mutex_);
  uint64_t bytes = 0;
  for (const auto& [replica, stage] : stages_) {
    if (stage == nullptr) continue;
    bytes += stage->stage().weight_bytes() + stage->stage().kv_bytes() + stage->stage().workspace_bytes();
  }
  return bytes;
}

}  // namespace enigma::worker
