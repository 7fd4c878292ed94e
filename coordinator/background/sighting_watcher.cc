#include "coordinator/background/sighting_watcher.h"

#include <utility>

namespace enigma::coordinator {

SightingWatcher::SightingWatcher(const NodeSource& source, NodeRegistry& nodes)
    : source_(source), nodes_(nodes), thread_([this] { Run(); }) {}

SightingWatcher::~SightingWatcher() {
  stopping_ = true;
  thread_.join();
}

void SightingWatcher::Run() {
  uint64_t seen = 0;
  while (!stopping_) {
    seen = source_.WaitForChange(seen, absl::Milliseconds(200));
    NodeRegistry::Sightings sightings;
    for (NodeSighting& sighting : source_.Snapshot()) {
      if (sighting.role != Role::kWorker || sighting.node_id.empty()) continue;
      sightings.insert_or_assign(std::move(sighting.node_id), std::move(sighting.found_by));
    }
    nodes_.NoteSightings(std::move(sightings));
  }
}

}  // namespace enigma::coordinator
