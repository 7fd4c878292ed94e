#include "engine/corpus/slot_order.h"

#include <algorithm>

#include "base/counter_random.h"

namespace enigma::engine {

uint64_t PermutedIndex(uint64_t index, uint64_t count, uint64_t seed, uint64_t stream) {
  constexpr uint32_t kRounds = 8;
  uint32_t half = 1;  // bits
  while (half < 32 && count > uint64_t{1} << (2 * half)) ++half;
  const uint32_t mask = static_cast<uint32_t>((uint64_t{1} << half) - 1);
  do {  // every element of a cycle that begins below `count` comes back to there, after four steps on average at most
    auto left = static_cast<uint32_t>(index >> half);
    auto right = static_cast<uint32_t>(index) & mask;
    for (uint32_t round = 0; round < kRounds; ++round) {
      const uint32_t bits = Philox({right, round, static_cast<uint32_t>(stream), static_cast<uint32_t>(stream >> 32)},
                                   {static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32)})[0];
      const uint32_t next = left ^ (bits & mask);
      left = right;
      right = next;
    }
    index = uint64_t{left} << half | right;
  } while (index >= count);
  return index;
}

uint64_t SlotOrder::At(uint64_t step, uint32_t slot, uint32_t place) const {
  const uint64_t begin = uint64_t{slot} * (per_step_ / slots_) + std::min(slot, per_step_ % slots_);
  const uint64_t drawn = step * per_step_ + begin + place;
  return PermutedIndex(drawn % sequences_, sequences_, seed_, drawn / sequences_);
}

double SlotOrder::Epoch(uint64_t step) const {
  return static_cast<double>(step) * per_step_ / static_cast<double>(sequences_);
}

}  // namespace enigma::engine
