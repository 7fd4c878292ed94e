#pragma once

#include <thread>

#include <absl/synchronization/notification.h>
#include <absl/time/time.h>

#include "base/clock.h"
#include "coordinator/state/node_registry.h"
#include "telemetry/metrics.h"

namespace enigma::coordinator {

// Declares nodes dead that have said nothing for too long, and keeps the metrics of nodes. Has a thread of its own, so
// that nothing that is slow elsewhere delays it.
class SilenceChecker {
 public:
  SilenceChecker(NodeRegistry& nodes, const Clock& clock, Metrics& metrics, absl::Duration silence);
  ~SilenceChecker();

 private:
  void Run();

  NodeRegistry& nodes_;
  const Clock& clock_;
  Metrics& metrics_;
  const absl::Duration silence_;
  absl::Notification stopping_;
  std::thread thread_;
};

}  // namespace enigma::coordinator
