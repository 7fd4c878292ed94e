#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include "discovery/beacon.h"
#include "discovery/rate_limiter.h"
#include "rpc/openssl_handles.h"

namespace enigma {

enum class BeaconVerdict {
  kAccepted,   // news of a node
  kHello,      // somebody who has not joined asks who is here
  kRepeated,   // a copy of one accepted a moment ago, which came another way
  kOwn,        // this process's own
  kOversized,  // the rest is counted and dropped
  kMalformed,
  kWrongVersion,
  kForeignCluster,
  kUnknownKey,  // no certificate that this cluster's CA issued
  kForged,      // signature or names do not match the certificate
  kStale,       // dated too far from now: replayed from long ago, or clocks differ
  kReplayed,    // seen before, or older than what was seen
  kRateLimited,
  kDuplicateNode,  // genuine, but two live processes claim one node id
  kTableFull,      // more nodes than this one keeps track of
  kCount_,
};

// For metrics and `enigma doctor`, such as "foreign_cluster".
const char* VerdictName(BeaconVerdict verdict);
// Whether the verdict means that a packet was refused.
bool IsDropped(BeaconVerdict verdict);

struct BeaconDecision {
  BeaconVerdict verdict = BeaconVerdict::kMalformed;
  v1::BeaconBody body;    // of kAccepted, kHello, kRepeated
  bool verified = false;  // the cluster's CA vouches for the sender
  // A sentence for the log, where a person should know of it: duplicate ids, clocks that differ.
  std::string event;
};

// Decides what to believe of a datagram. A function of the packet, the time given, and what it accepted before; memory
// is bounded whatever is thrown at it. Not thread-safe.
class BeaconFilter {
 public:
  struct Options {
    std::string cluster_id;
    std::string ca_certificate_pem;  // a joined node's; signatures are checked down to it
    std::string ca_pin;              // a node's that holds only a token: coordinators that name this pin are hints
    bool insecure = false;           // nobody signs; everything of this cluster id is a hint
    std::string own_node_id;
    uint64_t own_epoch = 0;
    absl::Duration freshness = absl::Seconds(30);  // how far a beacon's date may be from now
    size_t nodes_max = 4096;
    RateLimiter::Options per_source = {};
    // Hellos are answered, so their number is bounded for all sources together too.
    RateLimiter::Options hellos_per_source = {.per_second = 4, .burst = 12};
    RateLimiter::Options hellos_in_all = {.per_second = 50, .burst = 100, .keys_max = 1};
  };

  static absl::StatusOr<BeaconFilter> Create(Options options);

  // `source` is the sender's address without the port.
  BeaconDecision Accept(std::string_view datagram, const std::string& source, absl::Time now);

 private:
  struct Node {
    std::string certificate_hash;
    std::string beacon_key;
    uint64_t epoch = 0;
    uint64_t highest = 0;  // sequence
    uint64_t seen = 0;     // bit i: highest - i was accepted
    int64_t last_sent_unix_ms = 0;
    absl::Time last_seen;
    std::string last_signature;
  };

  BeaconFilter(Options options, X509Ptr ca);
  BeaconVerdict AcceptHello(const std::string& source, absl::Time now, size_t bytes);
  BeaconDecision AcceptNode(DecodedBeacon beacon, const std::string& source, absl::Time now);
  // The key that signed, or empty when the packet brings no proof of it.
  absl::StatusOr<std::string> KeyOf(const v1::BeaconBody& body, absl::Time now) const;
  BeaconVerdict CheckSignature(const DecodedBeacon& beacon, absl::Time now, std::string* key) const;
  BeaconVerdict CheckOrder(const v1::BeaconBody& body, const Node& known, absl::Time now) const;
  static void Record(const DecodedBeacon& beacon, const std::string& key, absl::Time now, Node& node);
  Node* FindOrAdd(const std::string& key, absl::Time now);

  Options options_;
  X509Ptr ca_;
  std::string cluster_hash_;
  RateLimiter per_source_, hellos_per_source_, hellos_in_all_;
  std::map<std::string, Node> nodes_;
};

}  // namespace enigma
