#include "engine/corpus/whole_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include <absl/strings/str_cat.h>

namespace enigma::engine {
namespace {

// All of `bytes`, or an error number.
int WriteAll(int fd, std::span<const uint8_t> bytes) {
  while (!bytes.empty()) {
    const ssize_t wrote = ::write(fd, bytes.data(), bytes.size());
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote <= 0) return wrote < 0 ? errno : EIO;
    bytes = bytes.subspan(static_cast<size_t>(wrote));
  }
  return 0;
}

}  // namespace

absl::Status WriteWholeFile(std::span<const uint8_t> bytes, const std::string& path) {
  const std::string partial = absl::StrCat(path, ".partial");
  const int fd = ::open(partial.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0) return absl::ErrnoToStatus(errno, absl::StrCat(partial, ": cannot create"));
  int error = WriteAll(fd, bytes);
  if (error == 0 && ::fsync(fd) != 0) error = errno;
  if (::close(fd) != 0 && error == 0) error = errno;
  if (error == 0 && std::rename(partial.c_str(), path.c_str()) != 0) error = errno;
  if (error == 0) return absl::OkStatus();
  ::unlink(partial.c_str());
  return absl::ErrnoToStatus(error, absl::StrCat(path, ": cannot write ", bytes.size(), " bytes"));
}

}  // namespace enigma::engine
