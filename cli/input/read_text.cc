#include "cli/input/read_text.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include <absl/strings/str_cat.h>

namespace enigma::cli {

namespace {

absl::StatusOr<std::string> ReadAll(int fd, const std::string& name, size_t bytes_max) {
  std::string text;
  std::array<char, 1 << 16> buffer;
  while (true) {
    const ssize_t got = ::read(fd, buffer.data(), buffer.size());
    if (got == 0) return text;
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return absl::FailedPreconditionError(absl::StrCat(name, " cannot be read: ", std::strerror(errno)));
    text.append(buffer.data(), static_cast<size_t>(got));
    if (text.size() > bytes_max) {
      return absl::InvalidArgumentError(
          absl::StrCat(name, " is longer than ", bytes_max, " bytes, the most that is read"));
    }
  }
}

}  // namespace

absl::StatusOr<std::string> ReadText(const std::string& path, size_t bytes_max) {
  if (path == "-") return ReadAll(STDIN_FILENO, "standard input", bytes_max);
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    const int error = errno;
    const std::string message = absl::StrCat(path, " cannot be opened: ", std::strerror(error));
    return error == ENOENT ? absl::NotFoundError(message) : absl::FailedPreconditionError(message);
  }
  auto text = ReadAll(fd, path, bytes_max);
  ::close(fd);
  return text;
}

}  // namespace enigma::cli
