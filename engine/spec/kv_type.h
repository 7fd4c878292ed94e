#pragma once

#include <cstdint>

namespace enigma::engine {

// How keys and values are stored.
enum class KvType : uint32_t { kF32 = 0, kF16 = 1, kBF16 = 2, kQ8 = 3 };

}  // namespace enigma::engine
