#include "coordinator/state/replica_registry.h"

#include <algorithm>
#include <utility>

#include <absl/strings/numbers.h>
#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "coordinator/state/record_json.h"

namespace enigma::coordinator {
namespace {

constexpr char kCounterKey[] = "meta/next_replica";

}  // namespace

absl::StatusOr<uint64_t> ReplicaRegistry::NextId() {
  absl::MutexLock lock(&mutex_);
  uint64_t next = 1;
  const absl::StatusOr<std::string> stored = store_.Get(kCounterKey);
  if (stored.ok()) {
    if (!absl::SimpleAtoi(*stored, &next)) return CorruptRecord(kCounterKey, "not a number");
  } else if (!absl::IsNotFound(stored.status())) {
    return stored.status();
  }
  ENIGMA_RETURN_IF_ERROR(store_.Put(kCounterKey, absl::StrCat(next + 1)));
  return next;
}

void ReplicaRegistry::Add(Replica replica) {
  absl::MutexLock lock(&mutex_);
  const uint64_t id = replica.id;
  replicas_.insert_or_assign(id, std::move(replica));
}

absl::Status ReplicaRegistry::MarkReady(uint64_t id) {
  absl::MutexLock lock(&mutex_);
  const auto found = replicas_.find(id);
  if (found == replicas_.end()) return absl::NotFoundError(absl::StrCat("replica ", id, " was removed"));
  Replica& replica = found->second;
  if (!MayMove(replica.state, ReplicaState::kReady)) {
    return absl::FailedPreconditionError(
        absl::StrCat("replica ", id, " is ", std::string(ReplicaStateName(replica.state)), ": ", replica.failure));
  }
  replica.state = ReplicaState::kReady;
  replica.was_ready = true;
  return absl::OkStatus();
}

bool ReplicaRegistry::MarkFailed(uint64_t id, std::string_view reason) {
  absl::MutexLock lock(&mutex_);
  const auto found = replicas_.find(id);
  if (found == replicas_.end() || !MayMove(found->second.state, ReplicaState::kFailed)) return false;
  found->second.state = ReplicaState::kFailed;
  found->second.failure = std::string(reason);
  return true;
}

void ReplicaRegistry::SetParts(const Replica& replica) {
  absl::MutexLock lock(&mutex_);
  const auto found = replicas_.find(replica.id);
  if (found == replicas_.end()) return;
  found->second.stages = replica.stages;
  found->second.encoder = replica.encoder;
}

void ReplicaRegistry::SetStall(uint64_t id, std::optional<Stall> stall) {
  absl::MutexLock lock(&mutex_);
  if (const auto found = replicas_.find(id); found != replicas_.end()) found->second.stall = std::move(stall);
}

void ReplicaRegistry::Remove(uint64_t id) {
  absl::MutexLock lock(&mutex_);
  replicas_.erase(id);
}

std::vector<Replica> ReplicaRegistry::List() const {
  absl::MutexLock lock(&mutex_);
  std::vector<Replica> replicas;
  replicas.reserve(replicas_.size());
  for (const auto& entry : replicas_) replicas.push_back(entry.second);
  return replicas;
}

std::optional<Replica> ReplicaRegistry::Find(uint64_t id) const {
  absl::MutexLock lock(&mutex_);
  const auto found = replicas_.find(id);
  if (found == replicas_.end()) return std::nullopt;
  return found->second;
}

std::vector<Replica> ReplicaRegistry::OfModel(std::string_view model) const {
  absl::MutexLock lock(&mutex_);
  std::vector<Replica> replicas;
  for (const auto& entry : replicas_) {
    if (entry.second.model->name == model) replicas.push_back(entry.second);
  }
  return replicas;
}

bool ReplicaRegistry::Serves(std::string_view model) const {
  absl::MutexLock lock(&mutex_);
  return std::any_of(replicas_.begin(), replicas_.end(),
                     [&](const auto& entry) { return entry.second.model->name == model && entry.second.serves(); });
}

}  // namespace enigma::coordinator
