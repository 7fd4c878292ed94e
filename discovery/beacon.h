#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include <absl/status/statusor.h>

#include "proto/beacon.pb.h"
#include "rpc/identity.h"

// The form of a beacon on the wire; proto/beacon.proto describes it.
namespace enigma {

inline constexpr size_t kBeaconBytesMax = 1200;
// A hello is at least this large, so that the beacon that answers it is hardly larger.
inline constexpr size_t kHelloBytesMin = 1000;
inline constexpr size_t kClusterHashBytes = 16;
inline constexpr int kBeaconPort = 50052;

// The cluster id of nodes that run with --insecure: they have no CA and sign nothing.
inline constexpr std::string_view kInsecureClusterId = "insecure";

std::string ClusterHash(std::string_view cluster_id);

// A datagram; `key` null leaves it unsigned. Fails when it would exceed kBeaconBytesMax.
absl::StatusOr<std::string> EncodeBeacon(const v1::BeaconBody& body, const SigningKey* key);

struct DecodedBeacon {
  v1::BeaconBody body;
  std::string signed_bytes;  // what the signature covers
  std::string signature;
};

// Reads a datagram and checks the size and range of every field; believes nothing of it. OUT_OF_RANGE when it is too
// large, FAILED_PRECONDITION when it is of another version of this format, INVALID_ARGUMENT when it is malformed.
absl::StatusOr<DecodedBeacon> DecodeBeacon(std::string_view datagram);

}  // namespace enigma
