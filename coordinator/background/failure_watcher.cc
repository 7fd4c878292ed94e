#include "coordinator/background/failure_watcher.h"

#include <algorithm>
#include <utility>

#include <absl/strings/str_cat.h>

#include "telemetry/log.h"

namespace enigma::coordinator {
namespace {

std::string StageText(const Replica& replica, std::string_view node) {
  for (const auto& stage : replica.stages) {
    if (stage.node_id() != node) continue;
    return absl::StrCat("it ran layers ", stage.first_layer(), " to ", stage.last_layer() - 1, " of '",
                        replica.model->name, "'");
  }
  return absl::StrCat("it ran a part of '", replica.model->name, "'");
}

}  // namespace

FailureWatcher::FailureWatcher(ControlPlane& plane, std::function<void()> failed, absl::Duration patience)
    : plane_(plane), failed_(std::move(failed)), patience_(patience), thread_([this] { Run(); }) {}

FailureWatcher::~FailureWatcher() {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
  }
  thread_.join();
}

void FailureWatcher::NodeDied(const Node& node) {
  absl::MutexLock lock(&mutex_);
  deaths_.push_back({node, 0, 0, node.state_reason, absl::ZeroDuration()});
}

void FailureWatcher::Suspect(uint64_t replica, std::string reason) {
  absl::MutexLock lock(&mutex_);
  suspicions_.push_back({Node{}, replica, 0, std::move(reason), plane_.clock.Monotonic() + patience_});
}

void FailureWatcher::Refused(uint64_t ticket, std::string reason) {
  absl::MutexLock lock(&mutex_);
  suspicions_.push_back({Node{}, 0, ticket, std::move(reason), plane_.clock.Monotonic() + patience_});
}

void FailureWatcher::Run() {
  while (true) {
    Event event;
    {
      absl::MutexLock lock(&mutex_);
      const auto something = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return stopping_ || !deaths_.empty(); };
      const absl::Duration pause =
          suspicions_.empty() ? absl::Milliseconds(50) : suspicions_.front().due - plane_.clock.Monotonic();
      mutex_.AwaitWithTimeout(absl::Condition(&something),
                              std::clamp(pause, absl::ZeroDuration(), absl::Milliseconds(50)));
      if (stopping_) return;
      if (!deaths_.empty()) {
        event = std::move(deaths_.front());
        deaths_.pop_front();
      } else if (!suspicions_.empty() && suspicions_.front().due <= plane_.clock.Monotonic()) {
        event = std::move(suspicions_.front());
        suspicions_.pop_front();
      } else {
        continue;
      }
    }
    Act(event);
  }
}

void FailureWatcher::Act(const Event& event) {
  if (event.ticket != 0) return plane_.dispatcher.EndRequest(event.ticket, absl::AbortedError(event.reason));
  if (event.replica != 0) {
    const std::optional<Replica> replica = plane_.replicas.Find(event.replica);
    if (replica && replica->state != ReplicaState::kFailed) Fail(*replica, event.reason);
    return;
  }
  plane_.channels.Forget(event.dead_node.id);
  plane_.links.Forget(event.dead_node.id);
  for (const Replica& replica : plane_.replicas.List()) {
    if (replica.state == ReplicaState::kFailed || !replica.UsesNode(event.dead_node.id)) continue;
    Fail(replica, absl::StrCat("node ", event.dead_node.Label(), " is lost (", event.reason, "); ",
                               StageText(replica, event.dead_node.id)));
  }
}

void FailureWatcher::Fail(const Replica& replica, const std::string& reason) {
  if (!plane_.replicas.MarkFailed(replica.id, reason)) return;
  LogError("replica {} of {} has failed: {}", replica.id, replica.model->name, reason);
  plane_.dispatcher.RemoveReplica(replica.id, absl::UnavailableError(reason));
  failed_();
}

}  // namespace enigma::coordinator
