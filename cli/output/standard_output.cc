#include "cli/output/standard_output.h"

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include <absl/strings/str_cat.h>

namespace enigma::cli {

namespace {
// Of the first write that failed; the stream keeps only that one did.
std::atomic<int> first_error{0};
}  // namespace

bool ShowNow(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return true;
  int none = 0;
  first_error.compare_exchange_strong(none, errno);
  return false;
}

absl::Status FinishOutput() {
  errno = 0;
  if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return absl::OkStatus();
  const int earlier = first_error.exchange(0);
  const int error = earlier != 0 ? earlier : errno;
  return absl::DataLossError(absl::StrCat("not all of the result could be written to standard output",
                                          error == 0 ? "" : absl::StrCat(": ", std::strerror(error))));
}

}  // namespace enigma::cli
