#include "cli/settings/shipped_folder.h"

#include <filesystem>
#include <system_error>
#include <vector>

namespace enigma::cli {

std::string ShippedModelsFolder(const std::string& program) {
  const std::filesystem::path folder = std::filesystem::path(program).parent_path();
  std::vector<std::filesystem::path> places = {folder / "../share/enigma/models"};
  if (folder.parent_path().filename() == "build") places.push_back(folder / "../../models");
  for (const std::filesystem::path& place : places) {
    std::error_code error;  // then it is not there
    if (std::filesystem::is_directory(place, error)) return place.lexically_normal().string();
  }
  return "";
}

}  // namespace enigma::cli
