#include "coordinator/background/placement_keeper.h"

#include <algorithm>
#include <utility>
#include <vector>

#include <absl/strings/str_cat.h>

#include "base/text.h"
#include "coordinator/operations/load_model.h"
#include "coordinator/operations/unload_stages.h"
#include "telemetry/log.h"

namespace enigma::coordinator {

PlacementKeeper::PlacementKeeper(ControlPlane& plane, const Options& options)
    : plane_(plane), options_(options), started_(plane.clock.Monotonic()), thread_([this] { Run(); }) {}

PlacementKeeper::~PlacementKeeper() { Stop(); }

void PlacementKeeper::Stop() {
  cancelled_ = true;
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
  }
  if (thread_.joinable()) thread_.join();
  std::map<uint64_t, std::thread> placing;
  {
    absl::MutexLock lock(&mutex_);
    placing.swap(placing_);
  }
  for (auto& entry : placing) entry.second.join();
}

void PlacementKeeper::Wake() {
  absl::MutexLock lock(&mutex_);
  woken_ = true;
}

void PlacementKeeper::NodeCame(const std::string& node_id) {
  absl::MutexLock lock(&mutex_);
  woken_ = true;
  for (auto& entry : pacing_) entry.second.NodeCame(node_id, plane_.clock.Monotonic());
}

void PlacementKeeper::Run() {
  while (true) {
    {
      absl::MutexLock lock(&mutex_);
      const auto something = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return stopping_ || woken_; };
      mutex_.AwaitWithTimeout(absl::Condition(&something), options_.period);
      if (stopping_) return;
      woken_ = false;
    }
    NoteServing();
    RetireOnLeavingNodes();
    ClearFailedReplicas();
    DropOrphans();
    PlaceWanted();
  }
}

void PlacementKeeper::NoteServing() {
  const std::vector<Replica> replicas = plane_.replicas.List();
  absl::MutexLock lock(&mutex_);
  std::erase_if(pacing_, [this](const auto& entry) { return !plane_.wanted.Contains(entry.first); });
  std::erase_if(unplaceable_, [this](uint64_t id) { return !plane_.wanted.Contains(id); });
  std::erase_if(leaving_since_, [this](const auto& entry) { return !plane_.replicas.Find(entry.first); });
  for (const Replica& replica : replicas) {
    if (replica.state != ReplicaState::kReady || OnLeavingNode(replica)) continue;
    if (!plane_.wanted.Contains(replica.wanted)) continue;
    pacing_.try_emplace(replica.wanted, options_.pacing).first->second.Serves(plane_.clock.Monotonic());
  }
}

bool PlacementKeeper::OnLeavingNode(const Replica& replica) const {
  const std::vector<enigma::v1::StagePlacement> parts = replica.Parts();
  return std::any_of(parts.begin(), parts.end(), [this](const auto& part) {
    const std::optional<Node> node = plane_.nodes.Find(part.node_id());
    return node && node->leaving;
  });
}

bool PlacementKeeper::HasSuccessor(const Replica& replica) const {
  const std::vector<Replica> all = plane_.replicas.List();
  return std::any_of(all.begin(), all.end(), [&](const Replica& other) {
    const bool succeeds = other.wanted == replica.wanted && other.state == ReplicaState::kReady;
    return succeeds && other.id != replica.id && !OnLeavingNode(other);
  });
}

bool PlacementKeeper::MayRetire(const Replica& replica) {
  const absl::Duration now = plane_.clock.Monotonic();
  const absl::Duration since = leaving_since_.try_emplace(replica.id, now).first->second;
  if (now - since >= options_.successor_wait || !plane_.wanted.Contains(replica.wanted)) return true;
  if (HasSuccessor(replica)) return true;
  absl::MutexLock lock(&mutex_);
  return unplaceable_.contains(replica.wanted);
}

void PlacementKeeper::RetireOnLeavingNodes() {
  for (const Node& node : plane_.nodes.List()) {
    if (!node.leaving || node.state != NodeState::kReady) continue;
    for (const Replica& replica : plane_.replicas.List()) {
      if (replica.state != ReplicaState::kReady || !replica.UsesNode(node.id)) continue;
      if (!MayRetire(replica) || !plane_.dispatcher.Retire(replica.id)) continue;
      GiveUp(replica, absl::StrCat("node ", node.Label(), " is leaving"));
    }
  }
}

void PlacementKeeper::GiveUp(const Replica& replica, const std::string& reason) {
  if (!plane_.replicas.MarkFailed(replica.id, reason)) return;
  LogInfo("replica {} of {} is given up: {}", replica.id, replica.model->name, reason);
  plane_.dispatcher.RemoveReplica(replica.id, absl::UnavailableError(reason));
  leaving_since_.erase(replica.id);
  absl::MutexLock lock(&mutex_);
  pacing_.erase(replica.wanted);  // the memory that it gives back may be just what was missing
}

void PlacementKeeper::ClearFailedReplicas() {
  for (const Replica& replica : plane_.replicas.List()) {
    if (replica.state != ReplicaState::kFailed || !replica.was_ready) continue;
    const bool moved = HasSuccessor(replica);  // then nothing broke
    if (!moved) plane_.wanted.SetReason(replica.wanted, replica.failure);
    UnloadStages(plane_, replica);
    plane_.replicas.Remove(replica.id);
    absl::MutexLock lock(&mutex_);
    settled_at_ = plane_.clock.Monotonic() + options_.settle;
    if (moved || !plane_.wanted.Contains(replica.wanted)) continue;
    pacing_.try_emplace(replica.wanted, options_.pacing).first->second.Broke(plane_.clock.Monotonic());
  }
}

void PlacementKeeper::DropOrphans() {
  for (const Node& node : plane_.nodes.List()) {
    if (node.state != NodeState::kReady) continue;
    for (const auto& stage : node.stages) {
      if (plane_.replicas.Find(stage.replica())) continue;
      // The heartbeat may be older than an unloading that has just ended; then this finds nothing to drop.
      const absl::Status dropped = UnloadStage(plane_, node, stage.replica());
      if (!dropped.ok()) LogWarn("node {} keeps an orphaned stage: {}", node.Label(), Describe(dropped));
      absl::MutexLock lock(&mutex_);
      settled_at_ = plane_.clock.Monotonic() + options_.settle;
    }
  }
}

std::string PlacementKeeper::ReasonToWait(const WantedPlacement& wanted) {
  const absl::Duration now = plane_.clock.Monotonic();
  if (now < settled_at_) return "workers are giving memory back";
  if (const auto pacing = pacing_.find(wanted.id); pacing != pacing_.end() && now < pacing->second.due()) {
    return "it was tried a moment ago";
  }
  if (now < started_ + options_.return_grace) {
    for (const std::string& id : wanted.last_nodes) {
      const std::optional<Node> node = plane_.nodes.Find(id);
      // A first heartbeat tells free memory and stages left from before.
      if (!node || node->state == NodeState::kAbsent || (node->state == NodeState::kReady && !node->heard)) {
        return absl::StrCat("waiting for node ", node ? node->Label() : id, " to come back");
      }
    }
  }
  return "";
}

void PlacementKeeper::PlaceWanted() {
  std::set<uint64_t> fulfilled;
  for (const Replica& replica : plane_.replicas.List()) {
    // One on a node that leaves is to have a successor, while it serves.
    if (replica.state != ReplicaState::kReady || !OnLeavingNode(replica)) fulfilled.insert(replica.wanted);
  }
  const std::vector<WantedPlacement> all = plane_.wanted.List();

  absl::MutexLock lock(&mutex_);
  for (const uint64_t id : placed_) {
    const auto done = placing_.find(id);
    done->second.join();
    placing_.erase(done);
  }
  placed_.clear();
  for (const WantedPlacement& wanted : all) {
    if (fulfilled.contains(wanted.id) || placing_.contains(wanted.id)) continue;
    const std::string wait = ReasonToWait(wanted);
    if (!wait.empty()) {
      if (!pacing_.contains(wanted.id)) plane_.wanted.SetReason(wanted.id, wait);
      continue;
    }
    pacing_.try_emplace(wanted.id, options_.pacing).first->second.Began();
    placing_.emplace(wanted.id, std::thread([this, wanted] { Place(wanted); }));
  }
}

void PlacementKeeper::Place(const WantedPlacement& wanted) {
  LoadCall call;
  call.model = wanted.model;
  call.options = wanted.options;
  call.wanted = wanted.id;
  call.cancelled = [this, id = wanted.id] { return cancelled_ || !plane_.wanted.Contains(id); };
  const absl::Status placed = LoadModel(plane_, call).status();
  absl::MutexLock lock(&mutex_);
  placed_.insert(wanted.id);
  unplaceable_.erase(wanted.id);
  if (!placed.ok()) unplaceable_.insert(wanted.id);
  const auto pacing = pacing_.find(wanted.id);
  if (placed.ok() || cancelled_ || pacing == pacing_.end()) return;
  const absl::Duration now = plane_.clock.Monotonic();
  pacing->second.AttemptFailed(now);
  const std::string reason = ToString(placed.message());
  plane_.wanted.SetUnplaceable(wanted.id, reason);
  if (pacing->second.IsNews(reason, now)) LogWarn("{} cannot be placed again: {}", wanted.model, Describe(placed));
}

}  // namespace enigma::coordinator
