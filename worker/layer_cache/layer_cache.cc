#include "worker/layer_cache/layer_cache.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>
#include <vector>

#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "telemetry/log.h"

namespace enigma::worker {
namespace {

constexpr size_t kRereadBytes = size_t{1} << 20;

absl::StatusOr<uint64_t> FreeBytesUnder(const std::string& directory) {
  struct statvfs info {};
  if (::statvfs(directory.c_str(), &info) != 0) return absl::ErrnoToStatus(errno, absl::StrCat("statvfs ", directory));
  return uint64_t{info.f_bavail} * info.f_frsize;
}

uint64_t FileBytes(const std::string& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0 ? static_cast<uint64_t>(info.st_size) : 0;
}

absl::StatusOr<engine::Sha256> HashOfFile(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return absl::ErrnoToStatus(errno, absl::StrCat("cannot read ", path));
  engine::Sha256Hasher hasher;
  std::vector<char> buffer(kRereadBytes);
  while (true) {
    const ssize_t got = ::read(fd, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) {
      const int error = errno;
      ::close(fd);
      if (got < 0) return absl::ErrnoToStatus(error, absl::StrCat("cannot read ", path));
      return hasher.Finish();
    }
    hasher.Update(buffer.data(), static_cast<size_t>(got));
  }
}

std::string PartOf(const std::string& path) { return path + ".part"; }

}  // namespace

absl::StatusOr<std::unique_ptr<LayerCache>> LayerCache::Create(Options options) {
  std::error_code error;
  std::filesystem::create_directories(options.directory, error);
  if (error) {
    return absl::FailedPreconditionError(absl::StrCat("cannot make the layer cache ", options.directory, ": ",
                                                      error.message(), "; choose another --data-dir"));
  }
  if (!options.free_bytes) options.free_bytes = FreeBytesUnder;
  return std::unique_ptr<LayerCache>(new LayerCache(std::move(options)));
}

bool LayerCache::Has(const engine::Sha256& hash) const {
  const std::string path = PathOf(hash);
  Stamp stamp;
  if (!ReadStamp(path, stamp)) return false;
  {
    absl::MutexLock lock(&mutex_);
    const auto known = verified_.find(hash);
    if (known != verified_.end() && known->second == stamp) return true;
  }
  const absl::StatusOr<engine::Sha256> content = HashOfFile(path);
  if (content.ok() && *content == hash) {
    Remember(hash, stamp);
    return true;
  }
  LogWarn("{} is not what its name says ({}): removed, to be fetched anew", path,
          content.ok() ? "its content has changed" : std::string(content.status().message()));
  ::unlink(path.c_str());
  return false;
}

bool LayerCache::ReadStamp(const std::string& path, Stamp& stamp) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return false;
  stamp = {info.st_ino, static_cast<uint64_t>(info.st_size),
           int64_t{info.st_mtim.tv_sec} * 1'000'000'000 + info.st_mtim.tv_nsec};
  return true;
}

void LayerCache::Remember(const engine::Sha256& hash, const Stamp& stamp) const {
  absl::MutexLock lock(&mutex_);
  verified_[hash] = stamp;
}

std::string LayerCache::PathOf(const engine::Sha256& hash) const {
  return absl::StrCat(options_.directory, "/", engine::HexOf(hash));
}

uint64_t LayerCache::BytesPresent(const engine::Sha256& hash) const {
  const std::string path = PathOf(hash);
  return Has(hash) ? FileBytes(path) : FileBytes(PartOf(path));
}

absl::StatusOr<std::unique_ptr<PieceWriter>> LayerCache::Resume(const engine::Sha256& hash, uint64_t bytes) {
  const std::string part = PartOf(PathOf(hash));
  const int fd = ::open(part.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (fd < 0) return absl::ErrnoToStatus(errno, absl::StrCat("cannot write ", part));
  std::unique_ptr<PieceWriter> writer(new PieceWriter(*this, hash, bytes, fd));
  ENIGMA_RETURN_IF_ERROR(writer->HashExisting());
  return writer;
}

PieceWriter::PieceWriter(const LayerCache& cache, const engine::Sha256& hash, uint64_t bytes, int fd)
    : cache_(cache), hash_(hash), bytes_(bytes), fd_(fd), part_path_(PartOf(cache.PathOf(hash))) {}

PieceWriter::~PieceWriter() { ::close(fd_); }

absl::Status PieceWriter::HashExisting() {
  if (FileBytes(part_path_) > bytes_ && ::ftruncate(fd_, 0) != 0) return absl::ErrnoToStatus(errno, part_path_);
  std::vector<char> buffer(kRereadBytes);
  while (true) {
    const ssize_t got = ::pread(fd_, buffer.data(), buffer.size(), static_cast<off_t>(size_));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return absl::ErrnoToStatus(errno, absl::StrCat("cannot read ", part_path_));
    if (got == 0) return absl::OkStatus();
    hasher_.Update(buffer.data(), static_cast<size_t>(got));
    size_ += static_cast<uint64_t>(got);
  }
}

absl::Status PieceWriter::Append(std::string_view data) {
  if (data.size() > bytes_ - size_) {
    return absl::DataLossError(absl::StrCat("piece ", engine::HexOf(hash_), " is longer than its ", bytes_, " bytes"));
  }
  while (!data.empty()) {
    const ssize_t put = ::pwrite(fd_, data.data(), data.size(), static_cast<off_t>(size_));
    if (put < 0 && errno == EINTR) continue;
    if (put < 0 && (errno == ENOSPC || errno == EDQUOT)) {
      const absl::StatusOr<uint64_t> free = cache_.FreeBytes();
      return absl::ResourceExhaustedError(absl::StrCat("the disk under ", cache_.directory(), " is full: piece ",
                                                       engine::HexOf(hash_), " needs ", bytes_ - size_, " bytes more, ",
                                                       free.ok() ? *free : 0, " are free"));
    }
    if (put < 0) return absl::ErrnoToStatus(errno, absl::StrCat("cannot write ", part_path_));
    hasher_.Update(data.data(), static_cast<size_t>(put));
    size_ += static_cast<uint64_t>(put);
    data.remove_prefix(static_cast<size_t>(put));
  }
  return absl::OkStatus();
}

absl::Status PieceWriter::Commit() {
  if (size_ != bytes_) {
    return absl::DataLossError(
        absl::StrCat("piece ", engine::HexOf(hash_), " ended after ", size_, " of ", bytes_, " bytes"));
  }
  if (hasher_.Finish() != hash_) {
    ::unlink(part_path_.c_str());
    return absl::DataLossError(
        absl::StrCat("piece ", engine::HexOf(hash_), " came with another content than its hash says"));
  }
  if (::fsync(fd_) != 0) return absl::ErrnoToStatus(errno, absl::StrCat("fsync ", part_path_));
  if (::rename(part_path_.c_str(), cache_.PathOf(hash_).c_str()) != 0) {
    return absl::ErrnoToStatus(errno, absl::StrCat("cannot rename ", part_path_));
  }
  LayerCache::Stamp stamp;
  if (LayerCache::ReadStamp(cache_.PathOf(hash_), stamp)) cache_.Remember(hash_, stamp);
  const int directory = ::open(cache_.directory().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (directory >= 0) {
    ::fsync(directory);
    ::close(directory);
  }
  return absl::OkStatus();
}

}  // namespace enigma::worker
