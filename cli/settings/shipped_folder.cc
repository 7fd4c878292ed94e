#include "cli/settings/shipped_folder.h"

#include <filesystem>
#include <system_error>

namespace enigma::cli {

std::string ShippedModelsFolder(const std::string& program) {
  const std::filesystem::path folder = std::filesystem::path(program).parent_path();
  std::error_code error;  // then it is not there
  const std::filesystem::path installed = folder / "../share/enigma/models";
  if (std::filesystem::is_directory(installed, error)) return installed.lexically_normal().string();
  // Some other program's tree may have a folder of that name, too; this one's has a registry in it.
  const std::filesystem::path source = folder / "../../models";
  const bool is_ours = folder.parent_path().filename() == "build" &&
                       std::filesystem::is_regular_file(source / "specialists.yaml", error);
  return is_ours ? source.lexically_normal().string() : "";
}

}  // namespace enigma::cli
