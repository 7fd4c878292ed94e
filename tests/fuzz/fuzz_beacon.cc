// A datagram from anybody on the network. The first byte chooses what the rest is: a datagram as it comes, or the body
// of a beacon that a genuine node has signed, so that what lies behind the signature is reached too.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>

#include <absl/time/clock.h>

#include "discovery/beacon_filter.h"
#include "rpc/certificate_authority.h"
#include "rpc/digest.h"

namespace {

using namespace enigma;

struct World {
  std::unique_ptr<CertificateAuthority> ca;
  NodeIdentity node;
};

const World& TheWorld() {
  static const World* const world = [] {
    std::string folder = (std::filesystem::temp_directory_path() / "enigma_fuzz_XXXXXX").string();
    if (mkdtemp(folder.data()) == nullptr) std::abort();
    auto ca = CertificateAuthority::LoadOrCreate(folder);
    std::filesystem::remove_all(folder);
    if (!ca.ok()) std::abort();
    auto node = (*ca)->Issue("node-1", Role::kCoordinator);
    if (!node.ok()) std::abort();
    return new World{*std::move(ca), *std::move(node)};
  }();
  return *world;
}

BeaconFilter MakeFilter(int mode) {
  BeaconFilter::Options options;
  options.cluster_id = TheWorld().ca->cluster_id();
  options.own_node_id = "listener";
  options.nodes_max = 4;
  if (mode == 0) options.ca_certificate_pem = TheWorld().ca->certificate_pem();
  if (mode == 1) options.ca_pin = TheWorld().ca->pin();
  if (mode == 2) {
    options.insecure = true;
    options.cluster_id = std::string(kInsecureClusterId);
  }
  auto filter = BeaconFilter::Create(std::move(options));
  if (!filter.ok()) std::abort();
  return *std::move(filter);
}

// Whatever the filter lets through must be safe to use.
void CheckDecision(const BeaconDecision& decision, bool may_be_verified) {
  if (decision.verified && !may_be_verified) std::abort();
  if (decision.verdict != BeaconVerdict::kAccepted) return;
  if (!CheckNodeId(decision.body.node_id()).ok() || !ParseRole(decision.body.role()).ok()) std::abort();
  if (decision.body.grpc_port() == 0 || decision.body.grpc_port() > 65535) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string rest(reinterpret_cast<const char*>(data) + 1, size - 1);
  static const absl::Time now = absl::Now();
  if (data[0] == 0) {
    for (const int mode : {0, 1, 2}) {
      BeaconFilter filter = MakeFilter(mode);
      // Nobody but the holder of a key of the cluster can make a beacon that is verified.
      CheckDecision(filter.Accept(rest, "10.0.0.1", now), false);
    }
    return 0;
  }
  v1::BeaconBody body;
  if (!body.ParseFromString(rest)) return 0;
  const auto leaf = ParseCertificatePem(TheWorld().node.certificate_pem);
  body.set_cluster_hash(ClusterHash(TheWorld().ca->cluster_id()));
  body.set_certificate(CertificateDer(**leaf));
  body.set_certificate_hash(Sha256(body.certificate()));
  body.set_ca_pin(TheWorld().ca->pin());
  body.set_sent_unix_ms(absl::ToUnixMillis(now));
  const auto datagram = EncodeBeacon(body, &TheWorld().node.beacon_key);
  if (!datagram.ok()) return 0;
  for (const int mode : {0, 1}) {
    BeaconFilter filter = MakeFilter(mode);
    for (int round = 0; round < 2; ++round) {
      const BeaconDecision decision = filter.Accept(*datagram, "10.0.0.1", now + absl::Seconds(3 * round));
      CheckDecision(decision, mode == 0);
      if (decision.verdict == BeaconVerdict::kAccepted && (decision.body.node_id() != "node-1" || round == 1)) {
        std::abort();
      }
    }
  }
  return 0;
}
