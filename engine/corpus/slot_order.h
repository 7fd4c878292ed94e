#pragma once

#include <cstdint>

namespace enigma::engine {

// Where element `index` of `count` goes in a permutation that (seed, stream) decides: a Feistel network over the next
// power of four, walked until it lands below `count` (Black and Rogaway, "Ciphers with arbitrary finite domains",
// 2002), with Philox as its round function. Needs no memory and no state, so any place of any epoch can be asked for.
uint64_t PermutedIndex(uint64_t index, uint64_t count, uint64_t seed, uint64_t stream);

// Which sequences the slots of a step hold. Sequences are drawn from one endless stream: all of epoch 0 in an order of
// its own, then all of epoch 1, and so on. A pure function; thread-safe.
class SlotOrder {
 public:
  // `sequences` and `slots` at least 1, `sequences_per_step` at least `slots`.
  SlotOrder(uint64_t sequences, uint32_t sequences_per_step, uint32_t slots, uint64_t seed)
      : sequences_(sequences), per_step_(sequences_per_step), slots_(slots), seed_(seed) {}

  // Sequences in a slot: the first slots take what cannot be divided.
  uint32_t Size(uint32_t slot) const { return per_step_ / slots_ + (slot < per_step_ % slots_ ? 1 : 0); }
  // The sequence at `place` of a slot. Steps below 2^64 / sequences_per_step.
  uint64_t At(uint64_t step, uint32_t slot, uint32_t place) const;
  // Epochs that lie behind when `step` steps are done.
  double Epoch(uint64_t step) const;

 private:
  uint64_t sequences_;
  uint32_t per_step_;
  uint32_t slots_;
  uint64_t seed_;
};

}  // namespace enigma::engine
