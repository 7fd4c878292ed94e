#pragma once

#include <cstdint>
#include <optional>
#include <vector>

namespace enigma::engine {

// Hands out block ids [0, blocks). Not thread-safe. Lives with the stage that forms batches.
class BlockAllocator {
 public:
  explicit BlockAllocator(uint32_t blocks);
  std::optional<uint32_t> Allocate();  // empty when none is free
  void Free(uint32_t block);           // CHECKs that it was allocated
  uint32_t free_count() const { return static_cast<uint32_t>(free_.size()); }
  uint32_t total() const { return total_; }

 private:
  uint32_t total_;
  std::vector<uint32_t> free_;  // a stack: the block freed last is handed out first, while it is warm
  std::vector<bool> allocated_;
};

// Blocks that a sequence of `tokens` tokens occupies.
inline uint32_t BlocksFor(uint32_t tokens) { return (tokens + 31) / 32; }

}  // namespace enigma::engine
