#include "cli/daemon/token_file.h"

#include <absl/strings/ascii.h>
#include <absl/strings/str_cat.h>
#include <absl/time/clock.h>

#include "base/status_macros.h"
#include "cli/input/read_text.h"
#include "telemetry/log.h"

namespace enigma::cli {

namespace {
constexpr size_t kTokenBytesMax = 4096;
}

absl::StatusOr<std::string> ReadTokenFile(const std::string& path) {
  ENIGMA_ASSIGN_OR_RETURN(std::string text, ReadText(path, kTokenBytesMax));
  absl::StripAsciiWhitespace(&text);
  if (text.empty()) return absl::NotFoundError(absl::StrCat(path, ": no token there"));
  return text;
}

absl::StatusOr<std::string> AwaitTokenFile(const std::string& path, const std::function<bool()>& stopped) {
  bool told = false;
  while (true) {
    auto token = ReadTokenFile(path);
    if (!absl::IsNotFound(token.status())) return token;
    if (stopped()) return absl::CancelledError(absl::StrCat("stopped while waiting for the token in ", path));
    if (!told) LogInfo("waiting for a join token in {}", path);
    told = true;
    absl::SleepFor(absl::Milliseconds(200));
  }
}

}  // namespace enigma::cli
