#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <absl/container/flat_hash_map.h>
#include <absl/status/statusor.h>

#include "engine/spec/dtype.h"

namespace enigma::engine {

// GGUF version 3 (and 2, which differs in nothing we read): metadata key/value pairs, a table of tensors, aligned data.
// Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md

struct GgufArray;
using GgufValue = std::variant<uint64_t, int64_t, double, bool, std::string, std::unique_ptr<GgufArray>>;

// Homogeneous; exactly one of the vectors is filled.
struct GgufArray {
  std::vector<std::string> strings;
  std::vector<int64_t> integers;  // every integer type and bool
  std::vector<double> floats;
};

struct TensorInfo {
  std::string name;
  DType type;
  std::vector<uint64_t> shape;  // GGUF order: shape[0] is the contiguous one (the inner dimension of a product)
  uint64_t offset;              // from the start of the file
  uint64_t bytes;
};

// Typed access to the metadata. Lookups of the wrong type or of absent keys are errors that name the key; those that
// end in Or give the fallback for both, so they are for keys whose absence and nonsense mean the same.
class GgufMetadata {
 public:
  bool Has(std::string_view key) const;
  absl::StatusOr<uint64_t> Uint(std::string_view key) const;
  absl::StatusOr<double> Float(std::string_view key) const;
  absl::StatusOr<bool> Bool(std::string_view key) const;
  absl::StatusOr<std::string_view> String(std::string_view key) const;
  absl::StatusOr<const GgufArray*> Array(std::string_view key) const;
  uint64_t UintOr(std::string_view key, uint64_t fallback) const;
  double FloatOr(std::string_view key, double fallback) const;
  bool BoolOr(std::string_view key, bool fallback) const;
  std::string StringOr(std::string_view key, std::string_view fallback) const;

  const std::vector<std::string>& keys() const { return keys_; }  // in file order
  const GgufValue* Find(std::string_view key) const;
  void Set(std::string key, GgufValue value);

 private:
  std::vector<std::string> keys_;
  absl::flat_hash_map<std::string, GgufValue> values_;
};

// Copies those of `from` whose names begin with `prefix`, in its order; others of `to` stay.
void CopyKeys(const GgufMetadata& from, std::string_view prefix, GgufMetadata& to);

// A memory-mapped GGUF file, wholly checked when opened: every length, count, type, offset and string size is compared
// with the file's size before anything is allocated for it. Immutable after Open; thread-safe. As with any mapping, the
// file must not be shortened while it is open.
class GgufFile {
 public:
  // Errors name file, key or tensor, and byte offset.
  static absl::StatusOr<std::unique_ptr<GgufFile>> Open(const std::string& path);
  // Parses the head (magic to tensor table) found in `bytes`, as if the file were `file_size` bytes long: what a worker
  // that holds only some layers gets. Tensor data must not be asked for.
  static absl::StatusOr<std::unique_ptr<GgufFile>> ParseHead(std::span<const uint8_t> bytes, uint64_t file_size,
                                                             std::string name);
  ~GgufFile();

  const std::string& path() const { return path_; }
  const GgufMetadata& metadata() const { return metadata_; }
  const std::vector<TensorInfo>& tensors() const { return tensors_; }
  const TensorInfo* FindTensor(std::string_view name) const;
  std::span<const uint8_t> TensorData(const TensorInfo& tensor) const;  // empty when made by ParseHead
  std::span<const uint8_t> HeadBytes() const;  // magic up to the end of the tensor table, as stored
  uint64_t file_size() const { return file_size_; }

 private:
  GgufFile() = default;
  absl::Status Parse(std::span<const uint8_t> bytes);

  std::string path_;
  GgufMetadata metadata_;
  std::vector<TensorInfo> tensors_;
  absl::flat_hash_map<std::string, size_t> tensor_index_;
  std::vector<uint8_t> owned_head_;
  const uint8_t* mapping_ = nullptr;
  uint64_t mapping_bytes_ = 0;
  uint64_t file_size_ = 0;
  uint64_t head_bytes_ = 0;
};

}  // namespace enigma::engine
