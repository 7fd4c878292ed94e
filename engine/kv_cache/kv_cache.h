#pragma once

#include <cstdint>
#include <vector>

#include <absl/status/statusor.h>

#include "engine/kernels/attention.h"
#include "engine/tensor/aligned_buffer.h"

namespace enigma::engine {

// Block memory of a stage's layers. Which block belongs to which sequence is not its business (block_table.h). Block
// ids are the same on every stage of a replica, so a step plan can name them.
class KvCache {
 public:
  struct Options {
    uint32_t layers = 0;
    uint32_t kv_heads = 0;
    uint32_t head_dim = 0;
    uint32_t blocks = 0;
    std::vector<KvType> types;  // one per layer
  };
  // ResourceExhausted with the bytes needed, when memory cannot be had.
  static absl::StatusOr<KvCache> Create(const Options& options);
  static uint64_t Bytes(const Options& options);

  KvLayerView layer(uint32_t index);
  uint32_t blocks() const { return options_.blocks; }
  uint64_t bytes() const { return Bytes(options_); }

 private:
  Options options_;
  std::vector<AlignedBuffer<uint8_t>> layers_;
};

}  // namespace enigma::engine
