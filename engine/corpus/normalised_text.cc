#include "engine/corpus/normalised_text.h"

#include <string>

#include <absl/strings/ascii.h>

namespace enigma::engine {

Sha256 NormalisedHash(std::string_view text) {
  std::string normalised;
  normalised.reserve(text.size());
  bool space = false;
  for (const char c : text) {
    if (absl::ascii_isspace(static_cast<unsigned char>(c))) {
      space = !normalised.empty();
      continue;
    }
    if (space) normalised += ' ';
    space = false;
    normalised += c;
  }
  return Sha256Of(normalised);
}

}  // namespace enigma::engine
