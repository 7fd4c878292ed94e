#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

namespace enigma::engine {

// A new file that is written from its beginning to its end and then made to survive a power cut. Errors name the path
// and the bytes; on a full disk (ResourceExhausted) also how much is free. What is left of an unfinished file is for
// the caller to remove. Not thread-safe.
class DurableFile {
 public:
  // AlreadyExists when there is a file of that name.
  static absl::StatusOr<std::unique_ptr<DurableFile>> Create(const std::string& path);
  ~DurableFile();
  DurableFile(const DurableFile&) = delete;
  DurableFile& operator=(const DurableFile&) = delete;

  absl::Status Append(std::span<const uint8_t> bytes);
  // Flushes to disk and closes.
  absl::Status Finish();

  const std::string& path() const { return path_; }
  uint64_t bytes() const { return bytes_; }

 private:
  DurableFile(std::string path, int fd) : path_(std::move(path)), fd_(fd) {}

  const std::string path_;
  int fd_;
  uint64_t bytes_ = 0;
};

// Makes what was created, renamed or removed in a folder survive a power cut.
absl::Status SyncFolder(const std::string& path);

// For files of this user on the disk that holds `folder`.
absl::StatusOr<uint64_t> FreeDiskBytes(const std::string& folder);

}  // namespace enigma::engine
