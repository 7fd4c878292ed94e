// models/ is what SHA256SUMS says, and stays small.
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <sstream>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "rpc/digest.h"

namespace enigma::cli {
namespace {

const std::string kModels = ENIGMA_SOURCE_DIR "/models/";
constexpr uint64_t kBytesMost = 24'000'000;  // as CONTRIBUTING.md promises

std::string ContentOf(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(in), {});
}

std::map<std::string, std::string> SumsOfFiles() {
  std::map<std::string, std::string> sums;
  for (const auto& entry : std::filesystem::directory_iterator(kModels)) {
    if (entry.path().extension() != ".gguf") continue;
    sums[entry.path().filename().string()] = ToHex(Sha256(ContentOf(entry.path().string())));
  }
  return sums;
}

TEST(ShippedFilesTest, AreThoseOfTheSums) {
  std::map<std::string, std::string> told;
  std::istringstream lines(ContentOf(kModels + "SHA256SUMS"));
  for (std::string sum, name; lines >> sum >> name;) told[name] = sum;
  EXPECT_THAT(SumsOfFiles(), ::testing::ContainerEq(told))
      << "A model that was made anew brings its line: `tools/train_defaults.sh --only NAME` writes both. One that "
         "changed by accident: `git checkout -- models`. CONTRIBUTING.md has more.";
}

TEST(ShippedFilesTest, AreSmallEnoughForARepository) {
  uint64_t bytes = 0;
  for (const auto& entry : std::filesystem::directory_iterator(kModels)) bytes += entry.file_size();
  EXPECT_LE(bytes, kBytesMost) << "make models of fewer parameters, or leave one out: every clone pays for these files";
}

}  // namespace
}  // namespace enigma::cli
