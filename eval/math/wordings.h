#pragma once

#include <span>
#include <string_view>

namespace enigma::eval {

// How problems are put. "{a}" and "{b}" are the numbers, in the order in which the operation takes them; "{name}" a
// first name, "{thing}" things that can be counted.
std::span<const std::string_view> SumWordings();
std::span<const std::string_view> DifferenceWordings();
std::span<const std::string_view> ProductWordings();
std::span<const std::string_view> SumStories();
std::span<const std::string_view> DifferenceStories();
std::span<const std::string_view> ProductStories();
std::span<const std::string_view> FirstNames();
std::span<const std::string_view> Things();

}  // namespace enigma::eval
