#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include <absl/container/flat_hash_map.h>
#include <absl/status/status.h>
#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "base/text.h"
#include "engine/weights/weight_source.h"

namespace enigma::engine {
namespace {

// A whole file, mapped read-only.
class MappedFile {
 public:
  // The file must have exactly `bytes`, more than 0.
  static absl::StatusOr<MappedFile> Open(const std::string& path, uint64_t bytes) {
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) return absl::ErrnoToStatus(errno, absl::StrCat(path, ": cannot open"));
    struct stat info {};
    const int stat_result = ::fstat(fd, &info);
    const int stat_error = errno;
    void* data = MAP_FAILED;
    if (stat_result == 0 && bytes > 0 && static_cast<uint64_t>(info.st_size) == bytes) {
      data = ::mmap(nullptr, bytes, PROT_READ, MAP_SHARED, fd, 0);
    }
    const int map_error = errno;
    ::close(fd);
    if (stat_result != 0) return absl::ErrnoToStatus(stat_error, absl::StrCat(path, ": cannot read the size"));
    if (bytes == 0 || static_cast<uint64_t>(info.st_size) != bytes) {
      return absl::DataLossError(absl::StrCat(path, ": the piece has ", info.st_size, " bytes, the manifest says ",
                                              bytes, "; delete it so that it is fetched again"));
    }
    if (data == MAP_FAILED) return absl::ErrnoToStatus(map_error, absl::StrCat(path, ": cannot map"));
    return MappedFile(data, bytes);
  }
  MappedFile(MappedFile&& other) noexcept : data_(std::exchange(other.data_, nullptr)), bytes_(other.bytes_) {}
  MappedFile& operator=(MappedFile&&) = delete;
  ~MappedFile() {
    if (data_ != nullptr) ::munmap(data_, bytes_);
  }
  std::span<const uint8_t> bytes() const { return {static_cast<const uint8_t*>(data_), bytes_}; }

 private:
  MappedFile(void* data, uint64_t bytes) : data_(data), bytes_(bytes) {}
  void* data_;
  uint64_t bytes_;
};

class BlobWeights final : public WeightSource {
 public:
  explicit BlobWeights(std::unique_ptr<GgufFile> head) : head_(std::move(head)) {}

  const GgufFile& head() const override { return *head_; }

  absl::StatusOr<StoredTensor> Tensor(std::string_view name) const override {
    const TensorInfo* info = head_->FindTensor(name);
    if (info == nullptr) {
      return absl::NotFoundError(absl::StrCat(head_->path(), ": there is no tensor '", ToAbsl(name), "'"));
    }
    const auto data = data_.find(ToAbsl(name));
    if (data == data_.end()) {
      return absl::NotFoundError(absl::StrCat("tensor '", ToAbsl(name), "' is in no piece that this stage holds"));
    }
    return StoredTensor{info, data->second};
  }

  // Takes the tensors of a piece in; the manifest and the head must agree on each.
  absl::Status Add(const Blob& blob, MappedFile file, const std::string& path) {
    for (const BlobTensor& tensor : blob.tensors) {
      const TensorInfo* info = head_->FindTensor(tensor.name);
      const bool inside = tensor.bytes <= blob.bytes && tensor.offset_in_blob <= blob.bytes - tensor.bytes;
      if (info == nullptr || info->bytes != tensor.bytes || info->offset != tensor.offset_in_file || !inside) {
        return absl::DataLossError(
            absl::StrCat(path, ": tensor '", tensor.name, "' of the manifest does not match the head of the model"));
      }
      data_[tensor.name] = file.bytes().subspan(tensor.offset_in_blob, tensor.bytes);
    }
    files_.push_back(std::move(file));
    return absl::OkStatus();
  }

 private:
  const std::unique_ptr<GgufFile> head_;
  std::vector<MappedFile> files_;
  absl::flat_hash_map<std::string, std::span<const uint8_t>> data_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<WeightSource>> OpenBlobWeights(const std::vector<const Blob*>& blobs,
                                                              const std::vector<std::string>& paths,
                                                              uint64_t file_bytes) {
  if (blobs.size() != paths.size()) {
    return absl::InvalidArgumentError(absl::StrCat(blobs.size(), " pieces, but ", paths.size(), " paths"));
  }
  std::unique_ptr<BlobWeights> weights;
  for (size_t i = 0; i < blobs.size() && weights == nullptr; ++i) {
    if (blobs[i]->kind != BlobKind::kHead) continue;
    ENIGMA_ASSIGN_OR_RETURN(const MappedFile file, MappedFile::Open(paths[i], blobs[i]->bytes));
    ENIGMA_ASSIGN_OR_RETURN(auto head, GgufFile::ParseHead(file.bytes(), file_bytes, paths[i]));
    weights = std::make_unique<BlobWeights>(std::move(head));
  }
  if (weights == nullptr) return absl::InvalidArgumentError("the head of the model is not among the pieces");
  for (size_t i = 0; i < blobs.size(); ++i) {
    if (blobs[i]->kind == BlobKind::kHead) continue;
    ENIGMA_ASSIGN_OR_RETURN(MappedFile file, MappedFile::Open(paths[i], blobs[i]->bytes));
    ENIGMA_RETURN_IF_ERROR(weights->Add(*blobs[i], std::move(file), paths[i]));
  }
  return weights;
}

}  // namespace enigma::engine
