#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace enigma::eval {

// The last number in a text, in the one way in which this program writes it, so that equal numbers are equal texts:
// no thousands separators ("1,200" is 1200), no zeros at either end that say nothing ("07" is 7, "2.50" is 2.5), "-"
// (or U+2212) only where it stands before the digits and behind no other number or word ("9-4" ends with 4).
std::optional<std::string> FinalNumber(std::string_view text);

}  // namespace enigma::eval
