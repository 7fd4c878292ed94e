#pragma once

#include <string_view>

#include "engine/spec/manifest.h"

namespace enigma::engine {

// SHA-256 of a text in which every run of ASCII white space is one space, none at the ends: texts with the same hash
// say the same.
Sha256 NormalisedHash(std::string_view text);

}  // namespace enigma::engine
