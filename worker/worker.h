#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <absl/base/thread_annotations.h>
#include <absl/status/statusor.h>
#include <absl/synchronization/mutex.h>
#include <absl/synchronization/notification.h>

#include "base/clock.h"
#include "discovery/interfaces.h"
#include "discovery/node_source.h"
#include "proto/membership.pb.h"
#include "rpc/identity.h"
#include "rpc/join_token.h"
#include "telemetry/metrics.h"
#include "worker/capability/measure.h"

namespace enigma::worker {

class Attendance;
class WorkerServer;

// A worker: becomes a node, keeps its place with the coordinator, measures itself, and hosts the stages it is told to.
class Worker {
 public:
  struct Options {
    std::string data_dir;                   // identity and layer cache; made if absent
    std::string host = "0.0.0.0";           // where gRPC listens; a wildcard takes IPv4 and IPv6
    int port = 50053;                       // 0 picks a free one
    std::vector<std::string> coordinators;  // seeds, "host[:port]"; besides whatever UDP finds
    std::string token;                      // needed once, until the data directory holds an identity
    bool insecure = false;                  // no TLS, everybody is believed; for laboratories
    bool trusted_network = false;           // training may send what it sums in plain text
    int threads = 0;                        // that compute; 0: as many as there are cores
    uint64_t memory_limit_bytes = 0;        // for weights, KV and workspace; 0: what the machine has
    bool udp = true;                        // look for the coordinator by beacons
    int udp_port = 50052;
    InterfaceRules interfaces;  // for beacons, and for the addresses announced
    std::string metrics_host = "0.0.0.0";
    int metrics_port = 9464;             // 0 picks a free one; -1: none
    std::vector<std::string> advertise;  // host literals to announce instead of those found
  };
  // Checks what can be checked without the network: directory, token, seeds.
  static absl::StatusOr<std::unique_ptr<Worker>> Create(Options options, const Clock& clock = Clock::System());
  ~Worker();

  // Serves until Stop (OK), or until something happens that another attempt cannot mend: a wrong token, another
  // cluster's CA, a wrong clock, a busy port, an order to leave. Call once.
  absl::Status Run();
  // From any thread, also before Run.
  void Stop();
  // Tells the coordinator that this node leaves, goes on with what its stages have in hand, and stops once the
  // coordinator has unloaded them, at the latest after `timeout`. Returns at once; later calls do nothing. Thread-safe.
  void Drain(absl::Duration timeout);

  // 0 and "" until known.
  int port() const { return port_; }
  int metrics_port() const { return metrics_port_; }
  std::string node_id() const;
  bool connected() const;  // to a coordinator, now

 private:
  Worker(Options options, const Clock& clock) : options_(std::move(options)), clock_(clock) {}

  absl::Status LoadIdentityOrToken();
  absl::Status ObtainIdentity();
  absl::StatusOr<std::unique_ptr<NodeSource>> MakeSource(bool joined, int announced_port);
  absl::Status Serve();
  // Tells the coordinator what was measured; stops the membership where that fails. Does nothing once it is `over`.
  absl::Status Measure(Attendance& membership, const WorkerServer& server, const absl::Notification& over);
  v1::Capability CapabilityNow(const WorkerServer& server) const;
  absl::Status Attend(Attendance& membership, WorkerServer& server, const NodeSource& source);
  absl::StatusOr<std::vector<std::string>> Addresses() const;
  void AwaitUnloaded(absl::Duration timeout) const;
  MemoryLimits Memory() const { return {.limit_bytes = options_.memory_limit_bytes}; }
  const NodeIdentity* identity() const { return identity_ ? &*identity_ : nullptr; }  // null: --insecure

  const Options options_;
  const Clock& clock_;
  Metrics metrics_;
  absl::Notification stopping_;
  std::atomic<bool> leaving_{false};
  std::optional<JoinToken> token_;
  std::optional<NodeIdentity> identity_;  // stays empty with --insecure
  std::atomic<int> port_{0};
  std::atomic<int> metrics_port_{0};

  mutable absl::Mutex mutex_;
  std::string node_id_ ABSL_GUARDED_BY(mutex_);
  Attendance* attendance_ ABSL_GUARDED_BY(mutex_) = nullptr;  // while Serve runs
  WorkerServer* server_ ABSL_GUARDED_BY(mutex_) = nullptr;    // likewise
  std::optional<v1::Capability> measured_ ABSL_GUARDED_BY(mutex_);
  std::thread draining_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace enigma::worker
