#include <utility>

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "base/text.h"
#include "engine/weights/weight_source.h"

namespace enigma::engine {
namespace {

class GgufWeights final : public WeightSource {
 public:
  explicit GgufWeights(std::unique_ptr<GgufFile> file) : file_(std::move(file)) {}

  const GgufFile& head() const override { return *file_; }

  absl::StatusOr<StoredTensor> Tensor(std::string_view name) const override {
    const TensorInfo* info = file_->FindTensor(name);
    if (info == nullptr) {
      return absl::NotFoundError(absl::StrCat(file_->path(), ": there is no tensor '", ToAbsl(name), "'"));
    }
    return StoredTensor{info, file_->TensorData(*info)};
  }

 private:
  const std::unique_ptr<GgufFile> file_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<WeightSource>> OpenGgufWeights(const std::string& path) {
  ENIGMA_ASSIGN_OR_RETURN(auto file, GgufFile::Open(path));
  return std::make_unique<GgufWeights>(std::move(file));
}

}  // namespace enigma::engine
