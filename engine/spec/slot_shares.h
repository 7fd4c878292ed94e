#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace enigma::engine {

// Who computes which of a training step's slots: the rank of each, in proportion to speeds (slots per second, or
// anything proportional, above 0). `held[rank]` are slots that a rank has computed already and keeps; only the others
// are shared out. Pure: ranks that know the same decide the same.
std::vector<uint32_t> ShareOutSlots(uint32_t slots, std::span<const double> speeds,
                                    const std::vector<std::vector<uint32_t>>& held = {});

}  // namespace enigma::engine
