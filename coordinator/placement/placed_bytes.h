#pragma once

#include <cstdint>

#include "proto/cluster.pb.h"

namespace enigma::coordinator {

// What a stage, or an image encoder, takes of its node's memory: as it was planned, or as it came to.
inline uint64_t PlacedBytes(const enigma::v1::StagePlacement& part) {
  return part.weight_bytes() + part.kv_bytes() + part.workspace_bytes();
}

}  // namespace enigma::coordinator
