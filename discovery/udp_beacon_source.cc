#include "discovery/udp_beacon_source.h"

#include <algorithm>
#include <utility>

#include <absl/memory/memory.h>
#include <absl/strings/match.h>
#include <absl/strings/str_cat.h>

#include "base/counter_random.h"
#include "base/status_macros.h"
#include "rpc/digest.h"
#include "rpc/endpoint.h"
#include "telemetry/log.h"

namespace enigma {
namespace {

constexpr absl::Duration kRescanEvery = absl::Seconds(3);
constexpr absl::Duration kEventAgainAfter = absl::Minutes(1);
constexpr size_t kEventsKept = 16;
constexpr size_t kEventKeysMax = 1024;
constexpr size_t kAddressesPerNodeMax = 8;
constexpr int kBatchMax = 256;
// Start-up: three at once (the first of a burst may be lost to address resolution), then every 500 ms for 5 s.
constexpr uint64_t kBurst = 3;
constexpr absl::Duration kBurstGap = absl::Milliseconds(20);
constexpr uint64_t kFastAnnouncements = kBurst + 10;
constexpr absl::Duration kFastEvery = absl::Milliseconds(500);

bool IsLoopback(const std::string& address) { return absl::StartsWith(address, "127.") || address == "::1"; }

int AddressRank(const std::string& address) {
  if (IsLoopback(address)) return 0;
  return address.find(':') == std::string::npos ? 1 : 2;
}

}  // namespace

absl::StatusOr<std::unique_ptr<UdpBeaconSource>> UdpBeaconSource::Create(Options options, const Clock& clock) {
  std::string certificate_der, ca_pin;
  BeaconFilter::Options filter_options;
  if (options.insecure) {
    options.cluster_id = std::string(kInsecureClusterId);
  } else if (options.identity) {
    options.cluster_id = options.identity->cluster_id;
    options.node_id = options.identity->node_id;
    options.role = options.identity->role;
    ENIGMA_ASSIGN_OR_RETURN(const X509Ptr leaf, ParseCertificatePem(options.identity->certificate_pem));
    ENIGMA_ASSIGN_OR_RETURN(const X509Ptr ca, ParseCertificatePem(options.identity->ca_certificate_pem));
    certificate_der = CertificateDer(*leaf);
    ca_pin = PublicKeyPin(*ca);
    filter_options.ca_certificate_pem = options.identity->ca_certificate_pem;
  }
  ENIGMA_RETURN_IF_ERROR(CheckNodeId(options.node_id));
  const auto epoch = static_cast<uint64_t>(absl::ToUnixMillis(clock.Now()));
  filter_options.cluster_id = options.cluster_id;
  filter_options.ca_pin = options.ca_pin;
  filter_options.insecure = options.insecure;
  filter_options.own_node_id = options.node_id;
  filter_options.own_epoch = epoch;
  filter_options.nodes_max = options.nodes_max;
  ENIGMA_ASSIGN_OR_RETURN(BeaconFilter filter, BeaconFilter::Create(std::move(filter_options)));
  ENIGMA_ASSIGN_OR_RETURN(auto transport, UdpTransport::Create(options.port));
  return absl::WrapUnique(new UdpBeaconSource(std::move(options), clock, std::move(transport), std::move(filter),
                                              std::move(certificate_der), std::move(ca_pin), epoch));
}

UdpBeaconSource::UdpBeaconSource(Options options, const Clock& clock, std::unique_ptr<UdpTransport> transport,
                                 BeaconFilter filter, std::string certificate_der, std::string ca_pin, uint64_t epoch)
    : options_(std::move(options)),
      clock_(clock),
      transport_(std::move(transport)),
      certificate_der_(std::move(certificate_der)),
      certificate_hash_(certificate_der_.empty() ? "" : Sha256(certificate_der_)),
      ca_pin_(std::move(ca_pin)),
      epoch_(epoch),
      filter_(std::move(filter)),
      thread_([this] { Run(); }) {}

UdpBeaconSource::~UdpBeaconSource() {
  stopping_ = true;
  transport_->Wake();
  thread_.join();
}

void UdpBeaconSource::Run() {
  // Interfaces are read within the thread, so that a slow system does not delay the start of the program.
  Rescan();
  absl::Duration next_rescan = clock_.Monotonic() + kRescanEvery;
  absl::Duration next_announcement = clock_.Monotonic();
  while (!stopping_) {
    const absl::Duration now = clock_.Monotonic();
    if (now >= next_rescan) {
      Rescan();
      next_rescan = now + kRescanEvery;
    }
    if (now >= next_announcement) {
      Announce();
      next_announcement = now + UntilNextAnnouncement();
      ForgetSilent(clock_.Now());
    }
    const absl::Duration wait = std::min(next_rescan, next_announcement) - clock_.Monotonic();
    transport_->Receive(std::max(wait, absl::ZeroDuration()), kBatchMax,
                        [this](const ReceivedDatagram& datagram) { Take(datagram); });
  }
}

absl::Duration UdpBeaconSource::UntilNextAnnouncement() const {
  if (announcements_ < kBurst) return kBurstGap;
  if (announcements_ < kFastAnnouncements) return std::min(kFastEvery, options_.announce_every);
  // Up to a tenth sooner or later, so that nodes started together do not speak together for ever.
  const double jitter = 0.9 + 0.2 * CounterUniform(epoch_, 0, announcements_);
  return options_.announce_every * jitter;
}

void UdpBeaconSource::Rescan() {
  const auto listed = ListInterfaces(options_.interfaces);
  if (!listed.ok()) {
    LogWarn("discovery: {}", Describe(listed.status()));
    return;
  }
  const absl::Status joined = transport_->Join(*listed);
  if (!joined.ok()) LogDebug("discovery: {}", Describe(joined));
  const absl::MutexLock lock(&mutex_);
  std::vector<InterfaceCounts> fresh;
  for (const NetworkInterface& one : *listed) {
    const auto known = std::find_if(interfaces_.begin(), interfaces_.end(),
                                    [&](const InterfaceCounts& counts) { return counts.interface.name == one.name; });
    InterfaceCounts counts = known == interfaces_.end() ? InterfaceCounts() : std::move(*known);
    counts.interface = one;
    fresh.push_back(std::move(counts));
  }
  interfaces_ = std::move(fresh);
}

absl::StatusOr<std::string> UdpBeaconSource::MakeDatagram() {
  const bool hello = !options_.identity && !options_.insecure;
  v1::BeaconBody body;
  body.set_kind(hello ? v1::BeaconBody::HELLO : v1::BeaconBody::NODE);
  body.set_cluster_hash(ClusterHash(options_.cluster_id));
  body.set_node_id(options_.node_id);
  body.set_role(std::string(RoleName(options_.role)));
  body.set_grpc_port(static_cast<uint32_t>(options_.grpc_port));
  body.set_epoch(epoch_);
  body.set_sequence(++sequence_);
  body.set_sent_unix_ms(absl::ToUnixMillis(clock_.Now()));
  std::string nonce(8, '\0');
  SystemRandomBytes(nonce.data(), nonce.size());
  body.set_nonce(nonce);
  if (hello) {
    body.set_padding(std::string(kHelloBytesMin, '\0'));
    return EncodeBeacon(body, nullptr);
  }
  body.set_certificate_hash(certificate_hash_);
  body.set_certificate(certificate_der_);
  if (options_.role == Role::kCoordinator) body.set_ca_pin(ca_pin_);
  return EncodeBeacon(body, options_.insecure ? nullptr : &options_.identity->beacon_key);
}

void UdpBeaconSource::Announce() {
  ++announcements_;
  const bool hello = !options_.identity && !options_.insecure;
  if (!hello && options_.grpc_port == 0) return;
  const auto datagram = MakeDatagram();
  if (!datagram.ok()) {
    LogError("discovery: {}", Describe(datagram.status()));
    return;
  }
  std::vector<InterfaceCounts> interfaces;
  {
    const absl::MutexLock lock(&mutex_);
    interfaces = interfaces_;
  }
  for (const InterfaceCounts& one : interfaces) {
    if (!one.interface.used) continue;
    int sent = 0;
    const absl::Status status = transport_->SendOn(one.interface, *datagram, &sent);
    if (options_.metrics != nullptr) {
      options_.metrics->Counter(Metric::kBeaconsSent, {{"interface", one.interface.name}}).Increment(sent);
      if (!status.ok()) {
        options_.metrics->Counter(Metric::kBeaconSendErrors, {{"interface", one.interface.name}}).Increment();
      }
    }
    const absl::MutexLock lock(&mutex_);
    for (InterfaceCounts& counts : interfaces_) {
      if (counts.interface.name != one.interface.name) continue;
      counts.beacons_sent += static_cast<uint64_t>(sent);
      // The interface stays in use: the next beacon may well go out.
      if (!status.ok()) {
        ++counts.send_errors;
        counts.last_error = Describe(status);
      }
    }
  }
}

void UdpBeaconSource::Answer(const ReceivedDatagram& to) {
  if (options_.role != Role::kCoordinator || options_.grpc_port == 0) return;
  const auto datagram = MakeDatagram();
  if (!datagram.ok()) return;  // Announce says it
  if (const absl::Status status = transport_->SendTo(to.from, *datagram); !status.ok()) {
    LogDebug("discovery: answering {}: {}", to.source, Describe(status));
  }
}

void UdpBeaconSource::Take(const ReceivedDatagram& datagram) {
  const absl::Time now = clock_.Now();
  BeaconDecision decision;
  if (datagram.truncated) {
    decision.verdict = BeaconVerdict::kOversized;
  } else {
    decision = filter_.Accept(datagram.bytes, datagram.source, now);
  }
  if (IsDropped(decision.verdict)) {
    CountDrop(decision);
    return;
  }
  if (decision.verdict == BeaconVerdict::kOwn) return;
  {
    const absl::MutexLock lock(&mutex_);
    ++verdicts_[static_cast<size_t>(decision.verdict)];
    for (InterfaceCounts& counts : interfaces_) {
      if (counts.interface.index != datagram.interface_index) continue;
      ++counts.beacons_received;
      if (options_.metrics != nullptr) {
        options_.metrics->Counter(Metric::kBeaconsReceived, {{"interface", counts.interface.name}}).Increment();
      }
    }
  }
  if (decision.verdict == BeaconVerdict::kHello) {
    Answer(datagram);
    return;
  }
  const bool first_word = [&] {
    const absl::MutexLock lock(&mutex_);
    const auto known = nodes_.find(decision.body.node_id());
    return known == nodes_.end() || known->second.epoch != decision.body.epoch();
  }();
  Remember(decision.body, datagram.source, decision.verified, now);
  // Whoever has just started wants to know the coordinator now, not with its next beacon.
  if (first_word && decision.body.role() != RoleName(Role::kCoordinator)) Answer(datagram);
}

void UdpBeaconSource::CountDrop(const BeaconDecision& decision) {
  const char* reason = VerdictName(decision.verdict);
  if (options_.metrics != nullptr) {
    options_.metrics->Counter(Metric::kBeaconsDropped, {{"reason", reason}}).Increment();
    if (decision.verdict == BeaconVerdict::kDuplicateNode) {
      options_.metrics->Counter(Metric::kDuplicateNodeIds).Increment();
    }
  }
  {
    const absl::MutexLock lock(&mutex_);
    ++verdicts_[static_cast<size_t>(decision.verdict)];
  }
  if (decision.event.empty()) return;
  // The sentences differ in ages; what stands before the first digit-laden part is enough to know one again.
  const absl::Time now = clock_.Now();
  const std::string key = absl::StrCat(reason, decision.event.substr(0, 60));
  if (events_logged_.size() >= kEventKeysMax) events_logged_.clear();
  const auto [known, is_new] = events_logged_.try_emplace(key, now);
  if (!is_new && now - known->second < kEventAgainAfter) return;
  known->second = now;
  LogWarn("discovery: {}", decision.event);
  const absl::MutexLock lock(&mutex_);
  if (events_.size() >= kEventsKept) events_.erase(events_.begin());
  events_.push_back(decision.event);
}

void UdpBeaconSource::Remember(const v1::BeaconBody& body, const std::string& source, bool verified, absl::Time now) {
  const auto role = ParseRole(body.role());  // the decoder has checked it
  if (!role.ok()) return;
  bool changed = false;
  {
    const absl::MutexLock lock(&mutex_);
    auto found = nodes_.find(body.node_id());
    if (found == nodes_.end()) {
      if (nodes_.size() >= options_.nodes_max) return;
      found = nodes_.try_emplace(body.node_id()).first;
    }
    Known& known = found->second;
    if (known.epoch != body.epoch() || known.grpc_port != static_cast<int>(body.grpc_port())) {
      known = {};
      changed = true;
    }
    known.epoch = body.epoch();
    known.grpc_port = static_cast<int>(body.grpc_port());
    known.sighting.node_id = body.node_id();
    known.sighting.role = *role;
    known.sighting.last_seen = now;
    known.sighting.verified = verified;
    known.sighting.found_by = "udp";
    if (known.addresses.contains(source) || known.addresses.size() < kAddressesPerNodeMax) {
      changed = known.addresses.insert_or_assign(source, now).second || changed;
    }
  }
  if (changed) changes_.Increment();
}

void UdpBeaconSource::ForgetSilent(absl::Time now) {
  size_t gone = 0;
  {
    const absl::MutexLock lock(&mutex_);
    gone = std::erase_if(
        nodes_, [&](const auto& entry) { return now - entry.second.sighting.last_seen > options_.forget_after; });
    for (auto& [id, known] : nodes_) {
      gone += std::erase_if(known.addresses,
                            [&](const auto& address) { return now - address.second > options_.forget_after; });
    }
  }
  if (gone > 0) changes_.Increment();
}

std::vector<NodeSighting> UdpBeaconSource::Snapshot() const {
  const absl::MutexLock lock(&mutex_);
  std::vector<NodeSighting> sightings;
  for (const auto& [id, known] : nodes_) {
    NodeSighting one = known.sighting;
    std::vector<std::string> addresses;
    for (const auto& [address, seen] : known.addresses) addresses.push_back(address);
    std::stable_sort(addresses.begin(), addresses.end(),
                     [](const std::string& a, const std::string& b) { return AddressRank(a) < AddressRank(b); });
    for (const std::string& address : addresses) {
      one.endpoints.push_back(Endpoint{address, known.grpc_port}.ToText());
    }
    sightings.push_back(std::move(one));
  }
  return sightings;
}

DiscoveryReport UdpBeaconSource::Report() const {
  const absl::MutexLock lock(&mutex_);
  DiscoveryReport report;
  report.interfaces = interfaces_;
  for (size_t i = 0; i < verdicts_.size(); ++i) {
    const auto verdict = static_cast<BeaconVerdict>(i);
    if (IsDropped(verdict) && verdicts_[i] > 0) report.dropped[VerdictName(verdict)] = verdicts_[i];
  }
  report.events = events_;
  return report;
}

}  // namespace enigma
