#include "discovery/beacon_filter.h"

#include <algorithm>
#include <utility>

#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "rpc/certificate.h"
#include "rpc/digest.h"

namespace enigma {
namespace {

// One beacon is sent on every path there is; copies of it arrive within this time.
constexpr absl::Duration kCopiesWithin = absl::Seconds(1);
// A process that is alive beacons every second; one that has been silent for this long has made room for another.
constexpr absl::Duration kSilentAfter = absl::Seconds(5);
constexpr uint64_t kWindow = 64;

BeaconDecision Drop(BeaconVerdict verdict, std::string event = "") {
  BeaconDecision decision;
  decision.verdict = verdict;
  decision.event = std::move(event);
  return decision;
}

}  // namespace

const char* VerdictName(BeaconVerdict verdict) {
  switch (verdict) {
    case BeaconVerdict::kAccepted:
      return "accepted";
    case BeaconVerdict::kHello:
      return "hello";
    case BeaconVerdict::kRepeated:
      return "repeated";
    case BeaconVerdict::kOwn:
      return "own";
    case BeaconVerdict::kOversized:
      return "oversized";
    case BeaconVerdict::kMalformed:
      return "malformed";
    case BeaconVerdict::kWrongVersion:
      return "wrong_version";
    case BeaconVerdict::kForeignCluster:
      return "foreign_cluster";
    case BeaconVerdict::kUnknownKey:
      return "unknown_key";
    case BeaconVerdict::kForged:
      return "forged";
    case BeaconVerdict::kStale:
      return "stale";
    case BeaconVerdict::kReplayed:
      return "replayed";
    case BeaconVerdict::kRateLimited:
      return "rate_limited";
    case BeaconVerdict::kDuplicateNode:
      return "duplicate_node";
    case BeaconVerdict::kTableFull:
      return "table_full";
    case BeaconVerdict::kCount_:
      break;
  }
  return "unknown";
}

bool IsDropped(BeaconVerdict verdict) {
  return verdict != BeaconVerdict::kAccepted && verdict != BeaconVerdict::kHello &&
         verdict != BeaconVerdict::kRepeated && verdict != BeaconVerdict::kOwn;
}

absl::StatusOr<BeaconFilter> BeaconFilter::Create(Options options) {
  X509Ptr ca;
  if (!options.insecure && !options.ca_certificate_pem.empty()) {
    ENIGMA_ASSIGN_OR_RETURN(ca, ParseCertificatePem(options.ca_certificate_pem));
  } else if (!options.insecure && options.ca_pin.size() != 32) {
    return absl::InvalidArgumentError("a beacon filter needs the cluster's CA, its pin, or to be insecure");
  }
  return BeaconFilter(std::move(options), std::move(ca));
}

BeaconFilter::BeaconFilter(Options options, X509Ptr ca)
    : options_(std::move(options)),
      ca_(std::move(ca)),
      cluster_hash_(ClusterHash(options_.cluster_id)),
      per_source_(options_.per_source),
      hellos_per_source_(options_.hellos_per_source),
      hellos_in_all_(options_.hellos_in_all) {}

BeaconDecision BeaconFilter::Accept(std::string_view datagram, const std::string& source, absl::Time now) {
  absl::StatusOr<DecodedBeacon> beacon = DecodeBeacon(datagram);
  if (absl::IsOutOfRange(beacon.status())) return Drop(BeaconVerdict::kOversized);
  if (absl::IsFailedPrecondition(beacon.status())) return Drop(BeaconVerdict::kWrongVersion);
  if (!beacon.ok()) return Drop(BeaconVerdict::kMalformed);
  if (beacon->body.cluster_hash() != cluster_hash_) return Drop(BeaconVerdict::kForeignCluster);
  if (beacon->body.node_id() == options_.own_node_id && beacon->body.epoch() == options_.own_epoch) {
    return Drop(BeaconVerdict::kOwn);
  }
  if (beacon->body.kind() != v1::BeaconBody::HELLO) return AcceptNode(*std::move(beacon), source, now);
  BeaconDecision decision = Drop(AcceptHello(source, now, datagram.size()));
  if (decision.verdict == BeaconVerdict::kHello) decision.body = std::move(beacon->body);
  return decision;
}

BeaconVerdict BeaconFilter::AcceptHello(const std::string& source, absl::Time now, size_t bytes) {
  if (bytes < kHelloBytesMin) return BeaconVerdict::kMalformed;
  if (!hellos_per_source_.Allow(source, now) || !hellos_in_all_.Allow("", now)) return BeaconVerdict::kRateLimited;
  return BeaconVerdict::kHello;
}

BeaconDecision BeaconFilter::AcceptNode(DecodedBeacon beacon, const std::string& source, absl::Time now) {
  const v1::BeaconBody& body = beacon.body;
  // Without a CA nobody can tell whose a node id is, so another key is another node.
  const std::string key = ca_ != nullptr ? body.node_id() : absl::StrCat(body.node_id(), "/", body.certificate_hash());
  const auto found = nodes_.find(key);
  const Node* known = found == nodes_.end() ? nullptr : &found->second;
  const bool verified = ca_ != nullptr;
  if (known != nullptr && !beacon.signature.empty() && beacon.signature == known->last_signature &&
      body.sequence() == known->highest && now - known->last_seen <= kCopiesWithin) {
    return {BeaconVerdict::kRepeated, std::move(beacon.body), verified, ""};
  }
  // Everything below costs signatures; whoever floods is held to a share of it.
  if (!per_source_.Allow(source, now)) return Drop(BeaconVerdict::kRateLimited);

  std::string signing_key;
  if (known != nullptr && known->certificate_hash == body.certificate_hash()) signing_key = known->beacon_key;
  if (const BeaconVerdict verdict = CheckSignature(beacon, now, &signing_key); verdict != BeaconVerdict::kAccepted) {
    return Drop(verdict);
  }
  const absl::Duration age = now - absl::FromUnixMillis(body.sent_unix_ms());
  if (absl::AbsDuration(age) > options_.freshness) {
    return Drop(BeaconVerdict::kStale,
                absl::StrCat("beacons of node ", body.node_id(), " from ", source, " are dated ",
                             absl::FormatDuration(absl::Trunc(absl::AbsDuration(age), absl::Seconds(1))),
                             age > absl::ZeroDuration() ? " ago" : " ahead",
                             ": the clocks of the two machines differ, or somebody replays old beacons"));
  }
  if (body.node_id() == options_.own_node_id) {
    // What this node sent before its last restart may still be on its way.
    if (body.sent_unix_ms() <= static_cast<int64_t>(options_.own_epoch)) return Drop(BeaconVerdict::kReplayed);
    return Drop(
        BeaconVerdict::kDuplicateNode,
        absl::StrCat("another process, at ", source, ", uses this node's id ", body.node_id(),
                     ": was its data folder copied? Remove the pki folder of one of them and let it join anew"));
  }
  if (known != nullptr) {
    const BeaconVerdict verdict = CheckOrder(body, *known, now);
    if (verdict == BeaconVerdict::kDuplicateNode) {
      return Drop(verdict,
                  absl::StrCat("two live processes use the node id ", body.node_id(), "; one of them is at ", source,
                               ": was a data folder copied? Remove the pki folder of one of them and "
                               "let it join anew"));
    }
    if (verdict == BeaconVerdict::kRepeated) return {verdict, std::move(beacon.body), verified, ""};
    if (verdict != BeaconVerdict::kAccepted) return Drop(verdict);
  }
  Node* node = FindOrAdd(key, now);
  if (node == nullptr) return Drop(BeaconVerdict::kTableFull);
  Record(beacon, signing_key, now, *node);
  return {BeaconVerdict::kAccepted, std::move(beacon.body), verified, ""};
}

absl::StatusOr<std::string> BeaconFilter::KeyOf(const v1::BeaconBody& body, absl::Time now) const {
  if (body.certificate().empty() || Sha256(body.certificate()) != body.certificate_hash()) return std::string();
  ENIGMA_ASSIGN_OR_RETURN(const X509Ptr leaf, ParseCertificateDer(body.certificate()));
  NodeCertificate about;
  if (ca_ != nullptr) {
    ENIGMA_ASSIGN_OR_RETURN(about, VerifyNodeCertificate(*leaf, *ca_, now));
  } else {
    ENIGMA_ASSIGN_OR_RETURN(about, ReadNodeCertificate(*leaf));
  }
  if (about.node_id != body.node_id() || RoleName(about.role) != body.role() ||
      about.cluster_id != options_.cluster_id) {
    return absl::InvalidArgumentError("the beacon names another node than its certificate");
  }
  return about.beacon_public_key;
}

BeaconVerdict BeaconFilter::CheckSignature(const DecodedBeacon& beacon, absl::Time now, std::string* key) const {
  if (options_.insecure) return BeaconVerdict::kAccepted;
  const v1::BeaconBody& body = beacon.body;
  if (ca_ == nullptr && (body.role() != RoleName(Role::kCoordinator) || body.ca_pin() != options_.ca_pin)) {
    return BeaconVerdict::kUnknownKey;
  }
  if (key->empty()) {
    absl::StatusOr<std::string> brought = KeyOf(body, now);
    if (absl::IsUnauthenticated(brought.status())) return BeaconVerdict::kUnknownKey;
    // The certificate is not valid yet, or not any more, by this machine's clock.
    if (absl::IsFailedPrecondition(brought.status())) return BeaconVerdict::kStale;
    if (!brought.ok()) return BeaconVerdict::kForged;
    if (brought->empty()) return BeaconVerdict::kUnknownKey;
    *key = *std::move(brought);
  }
  return VerifySignature(*key, beacon.signed_bytes, beacon.signature) ? BeaconVerdict::kAccepted
                                                                      : BeaconVerdict::kForged;
}

BeaconVerdict BeaconFilter::CheckOrder(const v1::BeaconBody& body, const Node& known, absl::Time now) const {
  const bool silent = now - known.last_seen > kSilentAfter;
  const bool later = body.sent_unix_ms() > known.last_sent_unix_ms;
  if (body.certificate_hash() != known.certificate_hash) {
    // The node joined anew, or two nodes were given one id.
    if (!later) return BeaconVerdict::kReplayed;
    return silent ? BeaconVerdict::kAccepted : BeaconVerdict::kDuplicateNode;
  }
  if (body.epoch() > known.epoch) return BeaconVerdict::kAccepted;  // restarted
  if (body.epoch() < known.epoch) {
    // A process that should be gone speaks later than its successor did: both live. (Or the clock went back over a
    // restart, and then the old one is silent.)
    if (!later) return BeaconVerdict::kReplayed;
    return silent ? BeaconVerdict::kAccepted : BeaconVerdict::kDuplicateNode;
  }
  if (body.sequence() > known.highest) return BeaconVerdict::kAccepted;
  const uint64_t behind = known.highest - body.sequence();
  if (behind >= kWindow) return BeaconVerdict::kReplayed;
  if ((known.seen >> behind & 1) == 0) return BeaconVerdict::kAccepted;  // overtaken on its way
  const bool copy = now - absl::FromUnixMillis(body.sent_unix_ms()) <= options_.freshness && behind <= 2 &&
                    now - known.last_seen <= kCopiesWithin;
  return copy ? BeaconVerdict::kRepeated : BeaconVerdict::kReplayed;
}

void BeaconFilter::Record(const DecodedBeacon& beacon, const std::string& key, absl::Time now, Node& node) {
  const v1::BeaconBody& body = beacon.body;
  const bool same_process = node.epoch == body.epoch() && node.certificate_hash == body.certificate_hash();
  node.last_seen = now;
  if (same_process && body.sequence() <= node.highest) {
    node.seen |= uint64_t{1} << (node.highest - body.sequence());
    return;
  }
  const uint64_t ahead = body.sequence() - node.highest;
  node.seen = (same_process && ahead < kWindow ? node.seen << ahead : 0) | 1;
  node.highest = body.sequence();
  node.epoch = body.epoch();
  node.certificate_hash = body.certificate_hash();
  node.beacon_key = key;
  node.last_sent_unix_ms = body.sent_unix_ms();
  node.last_signature = beacon.signature;
}

BeaconFilter::Node* BeaconFilter::FindOrAdd(const std::string& key, absl::Time now) {
  if (const auto found = nodes_.find(key); found != nodes_.end()) return &found->second;
  if (nodes_.size() >= options_.nodes_max) {
    // A node that has been silent for longer than a beacon stays fresh cannot be replayed either.
    const absl::Duration forgettable = std::max(2 * options_.freshness, kSilentAfter);
    std::erase_if(nodes_, [&](const auto& entry) { return now - entry.second.last_seen > forgettable; });
  }
  if (nodes_.size() >= options_.nodes_max) return nullptr;
  return &nodes_[key];
}

}  // namespace enigma
