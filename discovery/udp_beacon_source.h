#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <absl/base/thread_annotations.h>
#include <absl/status/statusor.h>
#include <absl/synchronization/mutex.h>
#include <absl/time/time.h>

#include "base/clock.h"
#include "discovery/beacon_filter.h"
#include "discovery/interfaces.h"
#include "discovery/node_source.h"
#include "discovery/udp_transport.h"
#include "telemetry/metrics.h"

namespace enigma {

// What an interface has done since the source was made, for `enigma doctor`.
struct InterfaceCounts {
  NetworkInterface interface;
  uint64_t beacons_sent = 0;
  uint64_t beacons_received = 0;
  uint64_t send_errors = 0;
  std::string last_error;
};

struct DiscoveryReport {
  std::vector<InterfaceCounts> interfaces;
  std::map<std::string, uint64_t> dropped;  // by VerdictName
  std::vector<std::string> events;          // the latest sentences about duplicate ids and wrong clocks, oldest first
};

// Calls out over UDP who this node is, and listens for the others, on a thread of its own. Thread-safe.
//
// Three ways to be made: with an identity (a node of the cluster: signed beacons), with `ca_pin` and `cluster_id` of a
// join token (a node to be: hellos, which the coordinator answers), or with `insecure`. A node that has joined
// replaces its source by one with an identity.
class UdpBeaconSource final : public NodeSource {
 public:
  struct Options {
    std::optional<NodeIdentity> identity;
    // Of the join token, while there is no identity. With `insecure` the cluster id is kInsecureClusterId.
    std::string cluster_id;
    std::string ca_pin;
    bool insecure = false;
    // Taken from the identity where there is one.
    std::string node_id;
    Role role = Role::kWorker;

    int grpc_port = 0;       // announced; 0 listens only
    int port = kBeaconPort;  // UDP; 0 picks a free one
    InterfaceRules interfaces;
    absl::Duration announce_every = absl::Seconds(1);
    absl::Duration forget_after = absl::Seconds(5);  // nodes that fell silent
    size_t nodes_max = 4096;
    Metrics* metrics = nullptr;  // may be null; must outlive the source
  };

  static absl::StatusOr<std::unique_ptr<UdpBeaconSource>> Create(Options options, const Clock& clock = Clock::System());
  ~UdpBeaconSource() override;

  [[nodiscard]] std::vector<NodeSighting> Snapshot() const override;
  uint64_t WaitForChange(uint64_t seen, absl::Duration timeout) const override { return changes_.Wait(seen, timeout); }

  [[nodiscard]] DiscoveryReport Report() const;
  [[nodiscard]] int port() const { return transport_->port(); }

 private:
  struct Known {
    NodeSighting sighting;
    uint64_t epoch = 0;
    int grpc_port = 0;
    std::map<std::string, absl::Time> addresses;  // source address -> when last heard from there
  };

  UdpBeaconSource(Options options, const Clock& clock, std::unique_ptr<UdpTransport> transport, BeaconFilter filter,
                  std::string certificate_der, std::string ca_pin, uint64_t epoch);
  void Run();
  void Rescan();
  void Announce();
  void Answer(const ReceivedDatagram& to);
  void Take(const ReceivedDatagram& datagram);
  void Remember(const v1::BeaconBody& body, const std::string& source, bool verified, absl::Time now);
  void ForgetSilent(absl::Time now);
  absl::StatusOr<std::string> MakeDatagram();
  void CountDrop(const BeaconDecision& decision);
  absl::Duration UntilNextAnnouncement() const;

  const Options options_;
  const Clock& clock_;
  const std::unique_ptr<UdpTransport> transport_;
  const std::string certificate_der_, certificate_hash_;
  const std::string ca_pin_;  // announced by coordinators
  const uint64_t epoch_;
  ChangeCounter changes_;

  // Of the thread alone.
  BeaconFilter filter_;
  uint64_t sequence_ = 0;
  uint64_t announcements_ = 0;
  std::map<std::string, absl::Time> events_logged_;

  mutable absl::Mutex mutex_;
  std::map<std::string, Known> nodes_ ABSL_GUARDED_BY(mutex_);
  std::vector<InterfaceCounts> interfaces_ ABSL_GUARDED_BY(mutex_);
  std::array<uint64_t, static_cast<size_t>(BeaconVerdict::kCount_)> verdicts_ ABSL_GUARDED_BY(mutex_) = {};
  std::vector<std::string> events_ ABSL_GUARDED_BY(mutex_);

  std::atomic<bool> stopping_ = false;
  std::thread thread_;
};

}  // namespace enigma
