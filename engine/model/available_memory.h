#pragma once

#include <cstdint>
#include <optional>

namespace enigma::engine {

// Bytes that this process can still have without swapping or being killed: the smaller of MemAvailable (/proc/meminfo)
// and what its control group (version 2) leaves, page cache counted as free. Empty when the system does not say.
std::optional<uint64_t> AvailableMemoryBytes();

}  // namespace enigma::engine
