#include "coordinator/background/silence_checker.h"

#include <algorithm>
#include <array>
#include <utility>

namespace enigma::coordinator {

SilenceChecker::SilenceChecker(NodeRegistry& nodes, const Clock& clock, Metrics& metrics, absl::Duration silence)
    : nodes_(nodes), clock_(clock), metrics_(metrics), silence_(silence), thread_([this] { Run(); }) {}

SilenceChecker::~SilenceChecker() {
  stopping_.Notify();
  thread_.join();
}

void SilenceChecker::Run() {
  const absl::Duration pause = std::clamp(silence_ / 10, absl::Milliseconds(5), absl::Milliseconds(200));
  absl::Duration last = clock_.Monotonic();
  while (!stopping_.WaitForNotificationWithTimeout(pause)) {
    const absl::Duration now = clock_.Monotonic();
    // A coordinator that stood still itself (stopped, starved) has heard nobody; their heartbeats wait in its sockets.
    if (now - std::exchange(last, now) > silence_ / 2) {
      nodes_.ForgiveSilence();
    } else {
      nodes_.MarkSilentDead(silence_);
    }
    std::array<int, 3> count{};
    for (auto& entry : kv_usage_) entry.second = 0;
    for (const Node& node : nodes_.List()) {
      ++count[static_cast<size_t>(node.state)];
      for (const auto& stage : node.stages) {
        if (stage.stage_index() != 0) continue;
        double& usage = kv_usage_[stage.model()];
        usage = std::max(usage, stage.kv_usage());
        CountPreemptions(stage);
      }
      if (node.state != NodeState::kReady) continue;
      metrics_.Gauge(Metric::kHeartbeatAge, {{"node", node.id}}).Set(absl::ToDoubleSeconds(now - node.last_seen));
    }
    for (const NodeState state : {NodeState::kAbsent, NodeState::kReady, NodeState::kDead}) {
      metrics_.Gauge(Metric::kNodes, {{"state", std::string(NodeStateName(state))}})
          .Set(count[static_cast<size_t>(state)]);
    }
    for (const auto& [model, usage] : kv_usage_)
      metrics_.Gauge(Metric::kKvCacheUsage, {{"model_name", model}}).Set(usage);
  }
}

// Ids of replicas are never used twice, so what is counted of one stays counted.
void SilenceChecker::CountPreemptions(const enigma::v1::StageStatus& first_stage) {
  uint64_t& counted = preemptions_[first_stage.replica()];
  prometheus::Counter& counter = metrics_.Counter(Metric::kPreemptions, {{"model_name", first_stage.model()}});
  if (first_stage.preemptions() <= counted) return;
  counter.Increment(static_cast<double>(first_stage.preemptions() - std::exchange(counted, first_stage.preemptions())));
}

}  // namespace enigma::coordinator
