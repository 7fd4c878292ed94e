#include "tests/support/synthetic_models.h"

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <mutex>
#include <set>
#include <vector>

#include "engine/weights/synth.h"
#include "tests/support/edited_model.h"
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
    return Unlocked(shape, type);
  }

 private:
  std::string Unlocked(const std::string& shape, const std::string& type) {
    std::string path = path_ + "/" + shape + "-" + type + ".gguf";
    if (!written_.insert(path).second) return path;
    if (shape == "tiny-windowed") {
      EditModel(Unlocked("tiny", type), path,
                [](EditableModel& model) { model.metadata.Set("llama.attention.sliding_window", uint64_t{19}); });
      return path;
    }
    if (shape == "tiny-stretched") {
      EditModel(Unlocked("tiny", type), path, [](EditableModel& model) {
        std::vector<float> factors;
        for (int i = 0; i < 32; ++i) factors.push_back(i < 16 ? 1.0F : 0.5F * static_cast<float>(i));
        model.AddFloats("rope_freqs.weight", factors);
      });
      return path;
    }
    if (const auto size = engine::SynthesiseModel(shape, type, path); !size.ok()) {
      std::cerr << "synthetic model " << path << ": " << size.status() << "\n";
      std::abort();
    }
    return path;
  }

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
