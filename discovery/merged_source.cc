#include "discovery/merged_source.h"

#include <algorithm>
#include <utility>

namespace enigma {
namespace {

// How long the destructor may have to wait for a watcher.
constexpr absl::Duration kWatchSlice = absl::Milliseconds(200);

void Absorb(NodeSighting& into, const NodeSighting& other) {
  for (const std::string& endpoint : other.endpoints) {
    if (std::find(into.endpoints.begin(), into.endpoints.end(), endpoint) == into.endpoints.end()) {
      into.endpoints.push_back(endpoint);
    }
  }
  into.last_seen = std::max(into.last_seen, other.last_seen);
  into.verified = into.verified || other.verified;
}

}  // namespace

MergedSource::MergedSource(std::vector<std::unique_ptr<NodeSource>> sources) : sources_(std::move(sources)) {
  for (const auto& source : sources_) watchers_.emplace_back([this, &source] { Watch(*source); });
}

MergedSource::~MergedSource() {
  stopping_ = true;
  for (std::thread& watcher : watchers_) watcher.join();
}

void MergedSource::Watch(const NodeSource& source) {
  uint64_t seen = 0;
  while (!stopping_) {
    const uint64_t version = source.WaitForChange(seen, kWatchSlice);
    if (version == seen) continue;
    seen = version;
    changes_.Increment();
  }
}

std::vector<NodeSighting> MergedSource::Snapshot() const {
  std::vector<NodeSighting> merged;
  for (const auto& source : sources_) {
    for (NodeSighting& one : source->Snapshot()) {
      const auto same = std::find_if(merged.begin(), merged.end(), [&](const NodeSighting& known) {
        return !one.node_id.empty() && known.node_id == one.node_id;
      });
      if (same == merged.end()) {
        merged.push_back(std::move(one));
      } else {
        Absorb(*same, one);
      }
    }
  }
  return merged;
}

}  // namespace enigma
