#pragma once

#include <atomic>
#include <thread>

#include "coordinator/state/node_registry.h"
#include "discovery/node_source.h"

namespace enigma::coordinator {

// Notes how nodes were found, for `enigma nodes`.
class SightingWatcher {
 public:
  // Both must outlive this.
  SightingWatcher(const NodeSource& source, NodeRegistry& nodes);
  ~SightingWatcher();

 private:
  void Run();

  const NodeSource& source_;
  NodeRegistry& nodes_;
  std::atomic<bool> stopping_ = false;
  std::thread thread_;
};

}  // namespace enigma::coordinator
