#include "engine/spec/gguf.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "base/text.h"

namespace enigma::engine {
namespace {

class FileDescriptor {
 public:
  explicit FileDescriptor(int fd) : fd_(fd) {}
  ~FileDescriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  FileDescriptor(const FileDescriptor&) = delete;
  FileDescriptor& operator=(const FileDescriptor&) = delete;
  int get() const { return fd_; }

 private:
  const int fd_;
};

absl::Status SystemError(const std::string& path, const char* what) {
  const int error = errno;
  return absl::ErrnoToStatus(error, absl::StrCat(path, ": cannot ", what));
}

}  // namespace

absl::StatusOr<std::unique_ptr<GgufFile>> GgufFile::Open(const std::string& path) {
  // O_NONBLOCK: a FIFO is refused below, not waited for.
  const FileDescriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (fd.get() < 0) return SystemError(path, "open");
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0) return SystemError(path, "read the size");
  if (!S_ISREG(info.st_mode)) return absl::InvalidArgumentError(absl::StrCat(path, ": is not a regular file"));
  if (info.st_size == 0) return absl::InvalidArgumentError(absl::StrCat(path, ": the file is empty"));

  std::unique_ptr<GgufFile> file(new GgufFile());
  file->path_ = path;
  file->file_size_ = static_cast<uint64_t>(info.st_size);
  void* mapping = ::mmap(nullptr, file->file_size_, PROT_READ, MAP_SHARED, fd.get(), 0);
  if (mapping == MAP_FAILED) return SystemError(path, "map");
  file->mapping_ = static_cast<const uint8_t*>(mapping);
  file->mapping_bytes_ = file->file_size_;
  ENIGMA_RETURN_IF_ERROR(file->Parse({file->mapping_, file->mapping_bytes_}));
  return file;
}

absl::StatusOr<std::unique_ptr<GgufFile>> GgufFile::ParseHead(std::span<const uint8_t> bytes, uint64_t file_size,
                                                              std::string name) {
  std::unique_ptr<GgufFile> file(new GgufFile());
  file->path_ = std::move(name);
  file->file_size_ = file_size;
  if (bytes.size() > file_size) bytes = bytes.first(file_size);
  ENIGMA_RETURN_IF_ERROR(file->Parse(bytes));
  file->owned_head_.assign(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(file->head_bytes_));
  return file;
}

GgufFile::~GgufFile() {
  if (mapping_ != nullptr) ::munmap(const_cast<uint8_t*>(mapping_), mapping_bytes_);
}

const TensorInfo* GgufFile::FindTensor(std::string_view name) const {
  const auto it = tensor_index_.find(ToAbsl(name));
  return it == tensor_index_.end() ? nullptr : &tensors_[it->second];
}

std::span<const uint8_t> GgufFile::TensorData(const TensorInfo& tensor) const {
  if (mapping_ == nullptr) return {};
  return {mapping_ + tensor.offset, tensor.bytes};
}

std::span<const uint8_t> GgufFile::HeadBytes() const {
  if (mapping_ == nullptr) return owned_head_;
  return {mapping_, head_bytes_};
}

}  // namespace enigma::engine
