#include "discovery/beacon.h"

#include <absl/strings/match.h>
#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "base/text.h"
#include "rpc/certificate.h"
#include "rpc/digest.h"

namespace enigma {
namespace {

constexpr std::string_view kMagic = "EnB1";
constexpr std::string_view kMagicOfAnyVersion = "EnB";
constexpr std::string_view kSignedPrefix = "enigma beacon v1";
constexpr size_t kHashBytes = 32;
constexpr size_t kNonceBytes = 8;

absl::Status CheckFields(const v1::BeaconBody& body, const std::string& signature) {
  const auto size_is = [](const std::string& field, size_t expected) {
    return field.empty() || field.size() == expected;
  };
  if (body.cluster_hash().size() != kClusterHashBytes || body.nonce().size() != kNonceBytes ||
      !size_is(body.certificate_hash(), kHashBytes) || !size_is(body.ca_pin(), kHashBytes) ||
      !size_is(signature, SigningKey::kSignatureBytes)) {
    return absl::InvalidArgumentError("a field of the beacon has a wrong size");
  }
  ENIGMA_RETURN_IF_ERROR(CheckNodeId(body.node_id()));
  ENIGMA_RETURN_IF_ERROR(ParseRole(body.role()).status());
  if (body.kind() != v1::BeaconBody::NODE && body.kind() != v1::BeaconBody::HELLO) {
    return absl::InvalidArgumentError("the beacon is of an unknown kind");
  }
  if (body.kind() == v1::BeaconBody::NODE && (body.grpc_port() == 0 || body.grpc_port() > 65535)) {
    return absl::InvalidArgumentError("the beacon's port is out of range");
  }
  return absl::OkStatus();
}

}  // namespace

std::string ClusterHash(std::string_view cluster_id) {
  return Sha256(absl::StrCat("enigma cluster ", ToAbsl(cluster_id))).substr(0, kClusterHashBytes);
}

absl::StatusOr<std::string> EncodeBeacon(const v1::BeaconBody& body, const SigningKey* key) {
  v1::SignedBeacon outer;
  outer.set_body(body.SerializeAsString());
  if (key != nullptr) outer.set_signature(key->Sign(absl::StrCat(ToAbsl(kSignedPrefix), outer.body())));
  std::string datagram = absl::StrCat(ToAbsl(kMagic), outer.SerializeAsString());
  if (datagram.size() > kBeaconBytesMax) {
    return absl::OutOfRangeError(absl::StrCat("the beacon of ", body.node_id(), " would have ", datagram.size(),
                                              " bytes; ", kBeaconBytesMax, " are the limit"));
  }
  return datagram;
}

absl::StatusOr<DecodedBeacon> DecodeBeacon(std::string_view datagram) {
  if (datagram.size() > kBeaconBytesMax) return absl::OutOfRangeError("the datagram is larger than a beacon may be");
  if (!datagram.starts_with(kMagic)) {
    if (datagram.starts_with(kMagicOfAnyVersion)) {
      return absl::FailedPreconditionError("the beacon is of another version");
    }
    return absl::InvalidArgumentError("the datagram is not a beacon");
  }
  datagram.remove_prefix(kMagic.size());
  v1::SignedBeacon outer;
  DecodedBeacon beacon;
  if (!outer.ParseFromArray(datagram.data(), static_cast<int>(datagram.size())) ||
      !beacon.body.ParseFromString(outer.body())) {
    return absl::InvalidArgumentError("the beacon is cut off or garbled");
  }
  ENIGMA_RETURN_IF_ERROR(CheckFields(beacon.body, outer.signature()));
  beacon.signed_bytes = absl::StrCat(ToAbsl(kSignedPrefix), outer.body());
  beacon.signature = outer.signature();
  return beacon;
}

}  // namespace enigma
