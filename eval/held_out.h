#pragma once

#include <cstdint>
#include <string_view>

namespace enigma::eval {

// What of a data set is kept for judging is decided by what it says, not by where it stands: the part of `count` that
// `text` belongs to. The first eight bytes of its SHA-256 as a big-endian number, modulo `count`, which is above 0.
uint64_t PartOf(std::string_view text, uint64_t count);

// Which of a data set's entries are wanted.
enum class Portion { kAll, kTraining, kHeldOut };

}  // namespace enigma::eval
