#include "engine/checkpoint/durable_file.h"

#include <fcntl.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <utility>

#include <absl/strings/str_cat.h>

#include "base/status_macros.h"

namespace enigma::engine {
namespace {

absl::Status WriteError(const std::string& path, size_t size, uint64_t at, int error) {
  std::string what = absl::StrCat(path, ": cannot write ", size, " bytes at ", at);
  if (error == ENOSPC || error == EDQUOT) {
    const auto free = FreeDiskBytes(std::filesystem::path(path).parent_path().string());
    if (free.ok()) absl::StrAppend(&what, ", ", *free, " bytes are free");
    return absl::ResourceExhaustedError(absl::StrCat(what, ": the disk is full"));
  }
  return absl::ErrnoToStatus(error, what);
}

}  // namespace

absl::StatusOr<std::unique_ptr<DurableFile>> DurableFile::Create(const std::string& path) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
  if (fd < 0) return absl::ErrnoToStatus(errno, absl::StrCat(path, ": cannot create"));
  return std::unique_ptr<DurableFile>(new DurableFile(path, fd));
}

DurableFile::~DurableFile() {
  if (fd_ >= 0) ::close(fd_);
}

absl::Status DurableFile::Append(std::span<const uint8_t> bytes) {
  if (fd_ < 0) return absl::FailedPreconditionError(absl::StrCat(path_, ": already finished"));
  while (!bytes.empty()) {
    const ssize_t put = ::write(fd_, bytes.data(), bytes.size());
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return WriteError(path_, bytes.size(), bytes_, errno);
    bytes = bytes.subspan(static_cast<size_t>(put));
    bytes_ += static_cast<uint64_t>(put);
  }
  return absl::OkStatus();
}

absl::Status DurableFile::Finish() {
  if (fd_ < 0) return absl::FailedPreconditionError(absl::StrCat(path_, ": already finished"));
  const int synced = ::fsync(fd_);
  const int sync_error = errno;
  const int closed = ::close(fd_);
  const int close_error = errno;
  fd_ = -1;
  if (synced != 0) {
    return absl::ErrnoToStatus(sync_error, absl::StrCat(path_, ": cannot flush its ", bytes_, " bytes to disk"));
  }
  // Some network file systems say only here that a write has failed.
  if (closed != 0 && close_error != EINTR) {
    return absl::ErrnoToStatus(close_error, absl::StrCat(path_, ": cannot close after ", bytes_, " bytes"));
  }
  return absl::OkStatus();
}

absl::Status SyncFolder(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return absl::ErrnoToStatus(errno, absl::StrCat(path, ": cannot open"));
  const int result = ::fsync(fd);
  const int error = errno;
  ::close(fd);
  // Some network file systems cannot sync a folder and say EINVAL; the files themselves are safe.
  if (result != 0 && error != EINVAL) return absl::ErrnoToStatus(error, absl::StrCat(path, ": cannot sync"));
  return absl::OkStatus();
}

absl::StatusOr<uint64_t> FreeDiskBytes(const std::string& folder) {
  struct statvfs info {};
  if (::statvfs(folder.c_str(), &info) != 0) {
    return absl::ErrnoToStatus(errno, absl::StrCat(folder, ": cannot read the free space"));
  }
  return uint64_t{info.f_bavail} * info.f_frsize;
}

}  // namespace enigma::engine
