#pragma once

#include <cstdio>
#include <cstdlib>

// Dies when a caller broke a kernel's contract: a bug of this project, never the fault of input.
#define ENIGMA_KERNEL_CHECK(condition)                                                                    \
  do {                                                                                                    \
    if (!(condition)) {                                                                                   \
      std::fprintf(stderr, "%s:%d: kernel called out of contract: %s\n", __FILE__, __LINE__, #condition); \
      std::abort();                                                                                       \
    }                                                                                                     \
  } while (false)

namespace enigma::engine {

// Elements below which a loop over rows runs on the calling thread: waking another costs more.
inline constexpr size_t kSerialElements = 16384;

// Rows per chunk so that a chunk has about kSerialElements.
inline size_t RowGrain(size_t width) { return width >= kSerialElements ? 1 : kSerialElements / (width + 1) + 1; }

}  // namespace enigma::engine
