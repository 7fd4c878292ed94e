#pragma once

#include <string>

namespace enigma::cli {

// The folder of models that came with this program, by the path of its file: ../share/enigma/models as it is installed,
// models/ of the source tree where it stands in build/PRESET. Empty: there is none.
std::string ShippedModelsFolder(const std::string& program);

}  // namespace enigma::cli
