#pragma once

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include "discovery/node_source.h"

namespace enigma {

// Several sources as one. A node that more than one of them has seen appears once, with all its addresses.
// Thread-safe.
class MergedSource final : public NodeSource {
 public:
  explicit MergedSource(std::vector<std::unique_ptr<NodeSource>> sources);
  ~MergedSource() override;

  [[nodiscard]] std::vector<NodeSighting> Snapshot() const override;
  uint64_t WaitForChange(uint64_t seen, absl::Duration timeout) const override { return changes_.Wait(seen, timeout); }

 private:
  void Watch(const NodeSource& source);

  const std::vector<std::unique_ptr<NodeSource>> sources_;
  ChangeCounter changes_;
  std::atomic<bool> stopping_ = false;
  std::vector<std::thread> watchers_;  // one per source
};

}  // namespace enigma
