#include "cli/daemon/open_files.h"

#include <sys/resource.h>

#include <algorithm>

namespace enigma::cli {

void RaiseOpenFiles(uint64_t most) {
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) != 0) return;
  const rlim_t wanted = std::min<rlim_t>(most, files.rlim_max);
  if (files.rlim_cur >= wanted) return;
  files.rlim_cur = wanted;
  ::setrlimit(RLIMIT_NOFILE, &files);  // where it fails, the limit stays as it was
}

}  // namespace enigma::cli
