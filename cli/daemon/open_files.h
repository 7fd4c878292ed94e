#pragma once

#include <cstdint>

namespace enigma::cli {

// Raises the number of files and connections that this process may have open as far as its user may, at most to
// `most`. Shells and service managers set it to 1,024 as a rule, since old programs cannot handle more.
void RaiseOpenFiles(uint64_t most = 65'536);

}  // namespace enigma::cli
