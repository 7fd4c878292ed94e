#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace enigma::engine {

// What makes one doubt that a file is the running text that it was taken for: lines that begin as questions and answers
// do, or that are labels and texts with a tab between. A sentence for people with the file's name; nothing where there
// is no doubt. Looks at the first megabyte.
std::optional<std::string> DoubtThatItIsText(std::string_view name, std::string_view bytes);

}  // namespace enigma::engine
