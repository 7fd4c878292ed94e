#include "engine/kv_cache/block_table.h"

#include <cstdio>
#include <cstdlib>

namespace enigma::engine {

BlockAllocator::BlockAllocator(uint32_t blocks) : total_(blocks), allocated_(blocks, false) {
  free_.reserve(blocks);
  for (uint32_t block = blocks; block > 0; --block) free_.push_back(block - 1);
}

std::optional<uint32_t> BlockAllocator::Allocate() {
  if (free_.empty()) return std::nullopt;
  const uint32_t block = free_.back();
  free_.pop_back();
  allocated_[block] = true;
  return block;
}

void BlockAllocator::Free(uint32_t block) {
  if (block >= total_ || !allocated_[block]) {
    std::fprintf(stderr, "BlockAllocator: block %u of %u is freed but was not allocated\n", block, total_);
    std::abort();
  }
  allocated_[block] = false;
  free_.push_back(block);
}

}  // namespace enigma::engine
