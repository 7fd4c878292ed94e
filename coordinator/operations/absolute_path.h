#pragma once

#include <string>

namespace enigma::coordinator {

// From the working directory on, where it is relative. "" stays "", and where there is no working directory any path
// stays as it was given.
std::string AbsolutePath(const std::string& path);

}  // namespace enigma::coordinator
