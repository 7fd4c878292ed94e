#include "tests/support/synthetic_models.h"

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <mutex>
#include <set>

#include "engine/weights/synth.h"
#include "tests/support/test_data.h"

namespace enigma::testing {
namespace {

// The directory of this process's models.
class ModelDirectory {
 public:
  ModelDirectory() {
    std::string pattern = (std::filesystem::temp_directory_path() / "enigma-models-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) {
      std::cerr << "cannot make a temporary directory like " << pattern << "\n";
      std::abort();
    }
    path_ = pattern;
  }
  ~ModelDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }

  std::string Model(const std::string& shape, const std::string& type) {
    const std::lock_guard lock(mutex_);
    std::string path = path_ + "/" + shape + "-" + type + ".gguf";
    if (!written_.insert(path).second) return path;
    if (const auto size = engine::SynthesiseModel(shape, type, path); !size.ok()) {
      std::cerr << "synthetic model " << path << ": " << size.status() << "\n";
      std::abort();
    }
    return path;
  }

 private:
  std::string path_;
  std::mutex mutex_;
  std::set<std::string> written_;
};

}  // namespace

std::string SyntheticModelPath(std::string_view shape, std::string_view type) {
  static ModelDirectory directory;
  return directory.Model(std::string(shape), std::string(type));
}

std::string TestModel::name() const {
  std::string name = type.empty() ? shape : shape + "_" + type;
  std::replace_if(
      name.begin(), name.end(), [](unsigned char c) { return std::isalnum(c) == 0; }, '_');
  return name;
}

std::optional<std::string> TestModel::Path() const {
  if (type.empty()) return TestDataPath("models/" + shape + "-f32.gguf");
  return SyntheticModelPath(shape, type);
}

}  // namespace enigma::testing
