#pragma once

#include <string>
#include <string_view>

namespace enigma {

// 32 bytes.
std::string Sha256(std::string_view data);

// Lower-case hexadecimal.
std::string ToHex(std::string_view bytes);

}  // namespace enigma
