#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace enigma {

// Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011): a keyed function from a
// counter to 128 random bits. There is no state to carry, so the number for (seed, choice, position) is the same
// wherever and whenever it is drawn.
std::array<uint32_t, 4> Philox(std::array<uint32_t, 4> counter, std::array<uint32_t, 2> key);

// A double in [0, 1) with 53 random bits for stream `stream` at `position` under `seed`.
double CounterUniform(uint64_t seed, uint64_t stream, uint64_t position);

// Random bytes from the operating system, for secrets and node ids. Dies when the system has none to give.
void SystemRandomBytes(void* out, size_t size);
uint64_t SystemRandom64();

}  // namespace enigma
