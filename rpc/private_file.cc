#include "rpc/private_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <system_error>

#include <absl/strings/str_cat.h>

#include "base/counter_random.h"
#include "base/status_macros.h"
#include "telemetry/log.h"

namespace enigma {
namespace {

constexpr size_t kBytesMax = 1 << 20;

absl::Status FileError(const std::string& path, const char* what) {
  const int error = errno;
  return absl::ErrnoToStatus(error, absl::StrCat("cannot ", what, " ", path));
}

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) close(fd_);
  }
  [[nodiscard]] int get() const { return fd_; }

 private:
  const int fd_;
};

absl::Status WriteAll(int fd, const std::string& path, const std::string& contents) {
  size_t done = 0;
  while (done < contents.size()) {
    const ssize_t wrote = write(fd, contents.data() + done, contents.size() - done);
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) return FileError(path, "write");
    done += static_cast<size_t>(wrote);
  }
  if (fsync(fd) != 0) return FileError(path, "write");
  return absl::OkStatus();
}

}  // namespace

absl::Status WritePrivateFile(const std::string& path, const std::string& contents) {
  std::filesystem::path folder = std::filesystem::path(path).parent_path();
  if (folder.empty()) folder = ".";
  std::error_code error;
  if (std::filesystem::create_directories(folder, error)) {
    std::filesystem::permissions(folder, std::filesystem::perms::owner_all, error);
  }
  if (error) return absl::ErrnoToStatus(error.value(), absl::StrCat("cannot make the folder ", folder.string()));

  const std::string temporary = absl::StrCat(path, ".", absl::Hex(SystemRandom64()), ".tmp");
  const auto write_temporary = [&]() -> absl::Status {
    const Descriptor file(open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (file.get() < 0) return FileError(temporary, "create");
    return WriteAll(file.get(), temporary, contents);
  };
  absl::Status status = write_temporary();
  if (status.ok() && std::rename(temporary.c_str(), path.c_str()) != 0) status = FileError(path, "replace");
  if (!status.ok()) {
    unlink(temporary.c_str());
    return status;
  }
  // The rename itself must survive a crash too.
  const Descriptor directory(open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (directory.get() < 0 || fsync(directory.get()) != 0) return FileError(folder.string(), "synchronise");
  return absl::OkStatus();
}

absl::StatusOr<std::string> ReadPrivateFile(const std::string& path) {
  const Descriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0) return FileError(path, "read");
  struct stat about {};
  if (fstat(file.get(), &about) != 0) return FileError(path, "read");
  if ((about.st_mode & S_IRWXO) != 0)
    LogWarn("{} holds a secret and others may read it; run: chmod 600 {}", path, path);
  std::string contents;
  char buffer[4096];
  for (;;) {
    const ssize_t got = read(file.get(), buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return FileError(path, "read");
    if (got == 0) return contents;
    contents.append(buffer, static_cast<size_t>(got));
    if (contents.size() > kBytesMax)
      return absl::InvalidArgumentError(absl::StrCat(path, " is too large to be a key file"));
  }
}

}  // namespace enigma
