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
  return absl::StrCat("it ran ", replica.encoder ? "the image encoder" : "a part", " of '", replica.model->name, "'");
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
  deaths_.push_back(node);
}

void FailureWatcher::Suspect(uint64_t replica, FailureReport report) {
  absl::MutexLock lock(&mutex_);
  const absl::Duration now = plane_.clock.Monotonic();
  const bool own = report.lost.empty();
  Suspicion& suspicion = suspicions_.try_emplace(replica, Suspicion{{}, now + patience_}).first->second;
  suspicion.reports.push_back(std::move(report));
  if (own) suspicion.due = now;  // nothing better will come
}

void FailureWatcher::Refused(uint64_t replica, uint64_t ticket, std::string reason) {
  absl::MutexLock lock(&mutex_);
  refusals_.push_back({replica, ticket, std::move(reason), plane_.clock.Monotonic() + patience_});
}

absl::Duration FailureWatcher::NextDue() const {
  absl::Duration due = absl::InfiniteDuration();
  for (const auto& entry : suspicions_) due = std::min(due, entry.second.due);
  if (!refusals_.empty()) due = std::min(due, refusals_.front().due);
  return due;
}

void FailureWatcher::Run() {
  while (true) {
    std::deque<Node> deaths;
    std::map<uint64_t, Suspicion> suspicions;
    std::vector<Refusal> refusals;
    {
      absl::MutexLock lock(&mutex_);
      const auto something = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
        return stopping_ || !deaths_.empty() || NextDue() <= plane_.clock.Monotonic();
      };
      mutex_.AwaitWithTimeout(absl::Condition(&something), std::clamp(NextDue() - plane_.clock.Monotonic(),
                                                                      absl::ZeroDuration(), absl::Milliseconds(50)));
      if (stopping_) return;
      deaths.swap(deaths_);
      const absl::Duration now = plane_.clock.Monotonic();
      for (auto it = suspicions_.begin(); it != suspicions_.end();) {
        const auto at = it++;
        if (at->second.due <= now) suspicions.insert(suspicions_.extract(at));
      }
      while (!refusals_.empty() && refusals_.front().due <= now) {
        // Its replica's failure, soon to be told, says more.
        if (!suspicions_.contains(refusals_.front().replica)) refusals.push_back(std::move(refusals_.front()));
        refusals_.pop_front();
      }
    }
    for (const Node& node : deaths) ActOnDeath(node);
    for (const auto& [replica, suspicion] : suspicions) ActOnSuspicion(replica, suspicion);
    for (const Refusal& refusal : refusals) ActOnRefusal(refusal);
  }
}

void FailureWatcher::ActOnDeath(const Node& node) {
  plane_.channels.Forget(node.id);
  plane_.links.Forget(node.id);
  for (const Replica& replica : plane_.replicas.List()) {
    if (replica.state == ReplicaState::kFailed || !replica.UsesNode(node.id)) continue;
    Fail(replica,
         absl::StrCat("node ", node.Label(), " is lost (", node.state_reason, "); ", StageText(replica, node.id)));
  }
}

void FailureWatcher::ActOnSuspicion(uint64_t id, const Suspicion& suspicion) {
  const std::optional<Replica> replica = plane_.replicas.Find(id);
  if (!replica || replica->state == ReplicaState::kFailed) return;
  const FailureReport& cause = suspicion.reports[CauseAmong(suspicion.reports)];
  // What was measured of a link that broke may hold no more; the next plan measures it anew.
  if (!cause.node.empty() && !cause.lost.empty()) plane_.links.Suspect(cause.node, cause.lost);
  Fail(*replica, cause.reason);
}

void FailureWatcher::ActOnRefusal(const Refusal& refusal) {
  plane_.dispatcher.EndRequest(refusal.ticket, absl::AbortedError(refusal.reason));
}

void FailureWatcher::Fail(const Replica& replica, const std::string& reason) {
  if (!plane_.replicas.MarkFailed(replica.id, reason)) return;
  LogError("replica {} of {} has failed: {}", replica.id, replica.model->name, reason);
  plane_.dispatcher.RemoveReplica(replica.id, absl::UnavailableError(reason));
  failed_();
}

}  // namespace enigma::coordinator
