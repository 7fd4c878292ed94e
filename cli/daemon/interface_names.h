#pragma once

#include <string>
#include <vector>

namespace enigma::cli {

// Logs a warning for each name that no network interface of this machine has now: it may come later, or be misspelt.
void WarnOfUnknownInterfaces(const std::vector<std::string>& names);

}  // namespace enigma::cli
