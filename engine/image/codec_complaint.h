#pragma once

#include <cstddef>

namespace enigma::engine {

// Room for what a codec says of a file, with the zero behind it; longer sentences are cut.
inline constexpr size_t kCodecComplaintBytes = 200;

}  // namespace enigma::engine
