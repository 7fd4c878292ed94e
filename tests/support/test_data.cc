#include "tests/support/test_data.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <sstream>

namespace enigma::testing {

std::optional<std::string> TestDataPath(std::string_view relative) {
  const char* configured = std::getenv("ENIGMA_TEST_DATA");
  const std::filesystem::path root =
      configured != nullptr ? configured : std::filesystem::path(ENIGMA_SOURCE_DIR) / ".." / "shared" / "data";
  const auto path = (root / relative).lexically_normal();
  std::error_code error;
  if (!std::filesystem::exists(path, error)) return std::nullopt;
  return path.string();
}

std::string ReadFileOrDie(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) {
    std::cerr << "cannot read " << path << "\n";
    std::abort();
  }
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

}  // namespace enigma::testing
