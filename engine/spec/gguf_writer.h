#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "engine/spec/gguf.h"

namespace enigma::engine {

struct TensorPlan {
  std::string name;
  DType type;
  std::vector<uint64_t> shape;  // GGUF order, as in TensorInfo; rows are whole blocks of the type
};

// Writes a GGUF file (version 3): the head at once, then the tensors' data as it comes. The bytes go to a temporary
// file beside `path` that takes its place only when all is on disk; before that, and after any error, `path` is
// untouched and the temporary file is removed. Not thread-safe.
class GgufWriter {
 public:
  // Asks the file system for the whole size first, so that a full disk is known before the first byte. Metadata is
  // stored with the narrowest type that readers in the field expect: integers as (u)int32 where they fit, floats as
  // float32; an array's elements are int32 where all fit.
  static absl::StatusOr<std::unique_ptr<GgufWriter>> Create(const std::string& path, const GgufMetadata& metadata,
                                                            const std::vector<TensorPlan>& tensors);
  ~GgufWriter();
  GgufWriter(const GgufWriter&) = delete;
  GgufWriter& operator=(const GgufWriter&) = delete;

  // The next bytes of the data: tensors in the plan's order, each in any number of calls, none across two tensors.
  absl::Status Write(std::span<const uint8_t> bytes);
  // Once every tensor is complete: flushes to disk and renames. Returns the file's size in bytes.
  absl::StatusOr<uint64_t> Finish();

  uint64_t file_bytes() const { return file_bytes_; }
  uint64_t written_bytes() const { return written_; }

 private:
  GgufWriter(std::string path, std::string temporary_path);
  absl::Status OpenTemporary();
  absl::Status WriteRaw(const uint8_t* data, size_t size);
  absl::Status WriteZeros(uint64_t count);
  absl::Status SystemError(const char* what) const;

  const std::string path_;
  const std::string temporary_path_;
  int fd_ = -1;
  uint64_t file_bytes_ = 0;
  uint64_t written_ = 0;  // of the file, head included
  std::vector<TensorPlan> tensors_;
  size_t current_ = 0;          // tensor being written
  uint64_t current_bytes_ = 0;  // of its data written so far
};

}  // namespace enigma::engine
