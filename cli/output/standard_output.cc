#include "cli/output/standard_output.h"

#include <cerrno>
#include <cstdio>
#include <cstring>

#include <absl/strings/str_cat.h>

namespace enigma::cli {

bool ShowNow(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  return std::fflush(stdout) == 0 && std::ferror(stdout) == 0;
}

absl::Status FinishOutput() {
  errno = 0;
  if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return absl::OkStatus();
  // The error of an earlier write is no longer known.
  const int error = errno;
  return absl::DataLossError(absl::StrCat("not all of the result could be written to standard output",
                                          error == 0 ? "" : absl::StrCat(": ", std::strerror(error))));
}

}  // namespace enigma::cli
