#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "engine/checkpoint/durable_file.h"
#include "engine/spec/manifest.h"

namespace enigma::coordinator {

// A file that comes over the network piece by piece and counts only once it is whole: until then it lies beside its
// place, and goes when this object does. Not thread-safe.
class ReceivedFile {
 public:
  // The folder must be there. What an earlier process left of the same file is removed.
  static absl::StatusOr<std::unique_ptr<ReceivedFile>> Create(std::string path);
  ~ReceivedFile();
  ReceivedFile(const ReceivedFile&) = delete;
  ReceivedFile& operator=(const ReceivedFile&) = delete;

  absl::Status Append(std::string_view bytes);
  // Puts it into its place, where it survives a power cut. DATA_LOSS when length or hash (32 bytes; empty: any) are
  // others.
  absl::Status Commit(uint64_t bytes, std::string_view sha256);

  uint64_t bytes() const { return bytes_; }

 private:
  explicit ReceivedFile(std::string path) : path_(std::move(path)), partial_path_(path_ + ".partial") {}

  const std::string path_;
  const std::string partial_path_;
  std::unique_ptr<engine::DurableFile> file_;
  engine::Sha256Hasher hasher_;
  uint64_t bytes_ = 0;
};

}  // namespace enigma::coordinator
