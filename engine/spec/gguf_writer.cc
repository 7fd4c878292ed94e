#include "engine/spec/gguf_writer.h"

#include <fcntl.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <utility>

#include <absl/strings/str_cat.h>

#include "base/counter_random.h"
#include "base/status_macros.h"
#include "engine/spec/gguf_cursor.h"
#include "engine/spec/gguf_encode.h"

namespace enigma::engine {
namespace {

std::string FolderOf(const std::string& path) {
  const auto folder = std::filesystem::path(path).parent_path();
  return folder.empty() ? "." : folder.string();
}

// Makes the rename itself survive a power cut.
absl::Status SyncFolder(const std::string& folder) {
  const int fd = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return absl::ErrnoToStatus(errno, absl::StrCat(folder, ": cannot open"));
  const int result = ::fsync(fd);
  const int error = errno;
  ::close(fd);
  // Some network file systems cannot sync a folder and say EINVAL; the file itself is safe.
  if (result != 0 && error != EINVAL) return absl::ErrnoToStatus(error, absl::StrCat(folder, ": cannot sync"));
  return absl::OkStatus();
}

}  // namespace

GgufWriter::GgufWriter(std::string path, std::string temporary_path)
    : path_(std::move(path)), temporary_path_(std::move(temporary_path)) {}

GgufWriter::~GgufWriter() {
  if (fd_ < 0) return;
  ::close(fd_);
  ::unlink(temporary_path_.c_str());
}

absl::Status GgufWriter::SystemError(const char* what) const {
  return absl::ErrnoToStatus(errno, absl::StrCat(path_, ": cannot ", what));
}

absl::StatusOr<std::unique_ptr<GgufWriter>> GgufWriter::Create(const std::string& path, const GgufMetadata& metadata,
                                                               const std::vector<TensorPlan>& tensors) {
  ENIGMA_ASSIGN_OR_RETURN(const std::string head, EncodeGgufHead(metadata, tensors));
  const std::string temporary = absl::StrCat(path, ".", absl::Hex(SystemRandom64(), absl::kZeroPad16), ".part");
  std::unique_ptr<GgufWriter> writer(new GgufWriter(path, temporary));
  writer->tensors_ = tensors;
  writer->file_bytes_ = head.size();
  for (const TensorPlan& tensor : tensors) {
    ENIGMA_ASSIGN_OR_RETURN(const uint64_t bytes, StoredBytes(tensor));
    writer->file_bytes_ += GgufAligned(bytes);
  }
  ENIGMA_RETURN_IF_ERROR(writer->OpenTemporary());
  ENIGMA_RETURN_IF_ERROR(writer->WriteRaw(reinterpret_cast<const uint8_t*>(head.data()), head.size()));
  return writer;
}

absl::Status GgufWriter::OpenTemporary() {
  struct statvfs space {};
  if (::statvfs(FolderOf(path_).c_str(), &space) != 0) return SystemError("be written, its folder cannot be read");
  const uint64_t free_bytes = uint64_t{space.f_bavail} * space.f_frsize;
  if (free_bytes < file_bytes_) {
    return absl::ResourceExhaustedError(
        absl::StrCat(path_, ": the disk is too full: ", file_bytes_, " bytes are needed, ", free_bytes, " are free"));
  }
  fd_ = ::open(temporary_path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
  if (fd_ < 0) return SystemError("create a file beside it");
  int result = 0;
  do {
    result = ::fallocate(fd_, 0, 0, static_cast<off_t>(file_bytes_));
  } while (result != 0 && errno == EINTR);
  // Where the file system cannot reserve, the writes themselves will tell.
  if (result != 0 && errno != EOPNOTSUPP && errno != ENOSYS) return SystemError("reserve its space");
  return absl::OkStatus();
}

absl::Status GgufWriter::WriteRaw(const uint8_t* data, size_t size) {
  while (size > 0) {
    const ssize_t put = ::write(fd_, data, size);
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return SystemError("write");
    data += put;
    size -= static_cast<size_t>(put);
    written_ += static_cast<uint64_t>(put);
  }
  return absl::OkStatus();
}

absl::Status GgufWriter::WriteZeros(uint64_t count) {
  constexpr std::array<uint8_t, kGgufAlignment> kZeros{};
  return WriteRaw(kZeros.data(), std::min<uint64_t>(count, kZeros.size()));
}

absl::Status GgufWriter::Write(std::span<const uint8_t> bytes) {
  if (fd_ < 0) return absl::FailedPreconditionError(absl::StrCat(path_, ": already finished"));
  if (bytes.empty()) return absl::OkStatus();
  if (current_ == tensors_.size()) {
    return absl::InvalidArgumentError(absl::StrCat(path_, ": data after that of the last tensor"));
  }
  ENIGMA_ASSIGN_OR_RETURN(const uint64_t whole, StoredBytes(tensors_[current_]));
  if (bytes.size() > whole - current_bytes_) {
    return absl::InvalidArgumentError(absl::StrCat(path_, ": tensor ", QuotedName(tensors_[current_].name), " takes ",
                                                   whole, " bytes; ", current_bytes_ + bytes.size(), " were given"));
  }
  ENIGMA_RETURN_IF_ERROR(WriteRaw(bytes.data(), bytes.size()));
  current_bytes_ += bytes.size();
  if (current_bytes_ == whole) {
    ENIGMA_RETURN_IF_ERROR(WriteZeros(GgufAligned(whole) - whole));
    ++current_;
    current_bytes_ = 0;
  }
  return absl::OkStatus();
}

absl::StatusOr<uint64_t> GgufWriter::Finish() {
  if (fd_ < 0) return absl::FailedPreconditionError(absl::StrCat(path_, ": already finished"));
  if (current_ != tensors_.size()) {
    return absl::FailedPreconditionError(
        absl::StrCat(path_, ": the data of tensor ", QuotedName(tensors_[current_].name), " is not complete"));
  }
  if (::fsync(fd_) != 0) return SystemError("flush to disk");
  if (::rename(temporary_path_.c_str(), path_.c_str()) != 0) return SystemError("put the finished file in place");
  ::close(fd_);
  fd_ = -1;
  ENIGMA_RETURN_IF_ERROR(SyncFolder(FolderOf(path_)));
  return file_bytes_;
}

}  // namespace enigma::engine
