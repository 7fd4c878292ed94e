#pragma once

#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <absl/base/thread_annotations.h>
#include <absl/status/statusor.h>
#include <absl/synchronization/mutex.h>
#include <absl/synchronization/notification.h>
#include <absl/time/time.h>

#include "discovery/node_source.h"
#include "rpc/endpoint.h"

namespace enigma {

// The literal addresses behind a host name, in the resolver's order.
using ResolveHost = std::function<absl::StatusOr<std::vector<std::string>>(const std::string& host)>;

// Asks the system (files, DNS): A and AAAA records.
absl::StatusOr<std::vector<std::string>> ResolveWithSystem(const std::string& host);

// Addresses that an operator wrote down: "host", "host:port", literal or name. Names are resolved again and again, so
// that a Kubernetes service name, or a machine that got another address, works. What no longer resolves keeps its last
// addresses, because a name server's outage is no reason to forget a peer. Thread-safe.
class StaticSource final : public NodeSource {
 public:
  struct Options {
    std::vector<std::string> seeds;
    int default_port = 50051;
    absl::Duration resolve_every = absl::Seconds(5);
    ResolveHost resolve = ResolveWithSystem;
  };

  // A malformed seed is an error that quotes it. The first resolution is done by the source's own thread.
  static absl::StatusOr<std::unique_ptr<StaticSource>> Create(Options options);
  ~StaticSource() override;

  [[nodiscard]] std::vector<NodeSighting> Snapshot() const override;
  uint64_t WaitForChange(uint64_t seen, absl::Duration timeout) const override { return changes_.Wait(seen, timeout); }

 private:
  struct Seed {
    Endpoint endpoint;
    std::vector<std::string> addresses;
    absl::Time last_resolved;
    std::string failure;  // why it does not resolve now; empty when it does
  };

  StaticSource(Options options, std::vector<Seed> seeds);
  void Run();
  void ResolveOne(size_t index);

  const Options options_;
  ChangeCounter changes_;
  absl::Notification stopping_;
  mutable absl::Mutex mutex_;
  std::vector<Seed> seeds_ ABSL_GUARDED_BY(mutex_);
  std::thread thread_;
};

}  // namespace enigma
