#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include <absl/status/status.h>

namespace enigma::engine {

// 64-bit integers for the wire without loss: blocks of 256 values (the last may be shorter), each a byte that says how
// many half bytes a value takes, 0 to 16, as many as the block's largest one needs with its sign; then the values' low
// half bytes one after another, the lower half of a byte first, the last byte filled up. Sums up to 2^43 in magnitude
// take 5.5 bytes, rows that nobody has touched 1/256 byte.

// Most bytes that `count` values can take, and what packing needs to have reserved so as not to copy.
constexpr size_t PackedBytesMax(size_t count) { return count * 8 + count / 256 + 1 + 8; }

// Appends to `out`.
void PackIntegers(std::span<const int64_t> values, std::vector<uint8_t>& out);

// `packed` must hold exactly as many values as `out`; DataLoss where it does not, and `out` is then partly written.
absl::Status UnpackIntegers(std::span<const uint8_t> packed, std::span<int64_t> out);
// Adds instead of storing. Sums wrap around.
absl::Status UnpackAndAddIntegers(std::span<const uint8_t> packed, std::span<int64_t> sums);

}  // namespace enigma::engine
