#include "coordinator/background/sighting_watcher.h"

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
    for (const NodeSighting& sighting : source_.Snapshot()) {
      if (sighting.role == Role::kWorker && !sighting.node_id.empty()) {
        nodes_.NoteFoundBy(sighting.node_id, sighting.found_by);
      }
    }
  }
}

}  // namespace enigma::coordinator
