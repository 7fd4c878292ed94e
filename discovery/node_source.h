#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <absl/base/thread_annotations.h>
#include <absl/synchronization/mutex.h>
#include <absl/time/time.h>

#include "rpc/certificate.h"

namespace enigma {

// Somebody who may be here. A hint where to connect, never a proof who is there.
struct NodeSighting {
  std::string node_id;       // empty when only an address is known (a seed)
  std::optional<Role> role;  // empty when unknown
  // "host:port", best first: loopback for a process on this machine, then IPv4, then IPv6.
  std::vector<std::string> endpoints;
  absl::Time last_seen;
  bool verified = false;  // the beacon carried a signature that the cluster's CA vouches for
  std::string found_by;   // "udp", "static"
};

// Who is here. Implementations are thread-safe.
class NodeSource {
 public:
  virtual ~NodeSource() = default;

  // Everybody seen lately; nodes that fell silent drop out by themselves.
  [[nodiscard]] virtual std::vector<NodeSighting> Snapshot() const = 0;

  // Waits until the version differs from `seen`, at most `timeout`; returns the version then. The version changes when
  // a node appears, goes, or moves, not when it is merely seen again.
  virtual uint64_t WaitForChange(uint64_t seen, absl::Duration timeout) const = 0;
};

// Addresses where a coordinator may be, best first: those with a verified beacon, other beacons, then seeds. Without
// repetition.
std::vector<std::string> CoordinatorEndpoints(const NodeSource& source);

// A version number to wait for. Thread-safe.
class ChangeCounter {
 public:
  void Increment() {
    const absl::MutexLock lock(&mutex_);
    ++version_;
  }
  uint64_t Wait(uint64_t seen, absl::Duration timeout) const {
    const absl::MutexLock lock(&mutex_);
    const auto changed = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return version_ != seen; };
    mutex_.AwaitWithTimeout(absl::Condition(&changed), timeout);
    return version_;
  }

 private:
  mutable absl::Mutex mutex_;
  uint64_t version_ ABSL_GUARDED_BY(mutex_) = 1;
};

}  // namespace enigma
