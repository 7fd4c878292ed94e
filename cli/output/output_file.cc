#include "cli/output/output_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include <absl/strings/str_cat.h>

#include "cli/usage_error.h"

namespace enigma::cli {

namespace {

absl::Status NotWritten(const std::string& path, int error) {
  return absl::FailedPreconditionError(absl::StrCat(path, " cannot be written: ", std::strerror(error)));
}

absl::Status WriteAll(int fd, std::string_view bytes, const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return NotWritten(path, errno);
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckOutputFile(const std::string& flag, const std::string& path, bool replace) {
  std::error_code error;
  const auto there = std::filesystem::status(path, error);
  if (!std::filesystem::exists(there)) return absl::OkStatus();
  if (!std::filesystem::is_regular_file(there)) {
    return UsageError(flag + ": " + path + " is there and is no file; name another one to write");
  }
  if (replace) return absl::OkStatus();
  return absl::AlreadyExistsError(path + " is there already; --force replaces it, " + flag + " names another one");
}

absl::Status WriteOutputFile(const std::string& path, std::string_view bytes) {
  const std::string unfinished = absl::StrCat(path, ".", ::getpid(), ".part");
  const int fd = ::open(unfinished.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (fd < 0) return NotWritten(path, errno);
  absl::Status status = WriteAll(fd, bytes, path);
  if (::close(fd) != 0 && status.ok()) status = NotWritten(path, errno);
  if (status.ok() && std::rename(unfinished.c_str(), path.c_str()) != 0) status = NotWritten(path, errno);
  if (!status.ok()) ::unlink(unfinished.c_str());
  return status;
}

}  // namespace enigma::cli
