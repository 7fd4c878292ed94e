#include "coordinator/background/progress_watcher.h"

#include <optional>
#include <vector>

#include "coordinator/background/stall.h"
#include "coordinator/operations/readiness.h"
#include "telemetry/log.h"

namespace enigma::coordinator {
namespace {

constexpr int kKvBlockTokens = 32;

}  // namespace

ProgressWatcher::ProgressWatcher(ControlPlane& plane, const Options& options)
    : plane_(plane), options_(options), thread_([this] { Run(); }) {}

ProgressWatcher::~ProgressWatcher() {
  stopping_.Notify();
  thread_.join();
}

void ProgressWatcher::Run() {
  while (!stopping_.WaitForNotificationWithTimeout(options_.period)) {
    LookAtReplicas();
    plane_.metrics.Gauge(Metric::kReady)
        .Set(ReadinessOf(plane_, options_.has_specialists && options_.has_specialists()).ready ? 1 : 0);
  }
}

void ProgressWatcher::LookAtReplicas() {
  for (auto& [model, states] : counts_) {
    for (auto& entry : states) entry.second = 0;
  }
  for (auto& entry : caches_) entry.second = 0;
  const std::vector<Node> nodes = plane_.nodes.List();
  for (const Replica& replica : plane_.replicas.List()) {
    std::optional<Stall> stall;
    if (replica.state == ReplicaState::kReady) stall = StallOf(replica, nodes, options_.stall_after);
    if (stall && !replica.stall) {
      LogWarn("replica {} makes no progress: {}; it is not ended, since it may only be slow", replica.id,
              stall->reason);
    } else if (!stall && replica.stall && replica.state == ReplicaState::kReady) {
      LogInfo("replica {} of {} makes progress again", replica.id, replica.model->name);
    }
    ++counts_[replica.model->name][stall ? "stalled" : std::string(ReplicaStateName(replica.state))];
    if (replica.state == ReplicaState::kReady) {
      ++caches_[{{"model_name", replica.model->name},
                 {"block_size", std::to_string(kKvBlockTokens)},
                 {"num_gpu_blocks", std::to_string(replica.kv_blocks)}}];
    }
    plane_.dispatcher.SetStalled(replica.id, stall.has_value());
    plane_.replicas.SetStall(replica.id, std::move(stall));
  }
  for (const auto& [labels, count] : caches_) plane_.metrics.Gauge(Metric::kCacheConfig, labels).Set(count);
  for (const auto& [model, states] : counts_) {
    for (const auto& [state, count] : states) {
      plane_.metrics.Gauge(Metric::kReplicas, {{"model_name", model}, {"state", state}}).Set(count);
    }
  }
}

}  // namespace enigma::coordinator
