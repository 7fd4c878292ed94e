#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <absl/container/flat_hash_map.h>
#include <absl/status/statusor.h>

namespace enigma::engine {

// The safetensors format: eight bytes with the length of a JSON header, the header, then the tensors' data, which fill
// the rest without holes. Format: https://github.com/huggingface/safetensors#format

enum class SafetensorsType { kF32, kF16, kBF16, kI32, kI64, kU8 };
const char* NameOf(SafetensorsType type);  // as the header spells it: "F32"
uint32_t ElementBytes(SafetensorsType type);

struct SafetensorsTensor {
  std::string name;
  SafetensorsType type;
  std::vector<uint64_t> shape;  // outermost first: the reverse of GGUF's order; empty for a single value
  uint64_t offset = 0;          // within the data
  uint64_t bytes = 0;
};

using SafetensorsMetadata = std::map<std::string, std::string>;

// Stored bytes of a tensor; InvalidArgument, naming it, when its shape is too long or its size overflows.
absl::StatusOr<uint64_t> SafetensorsBytes(const std::string& name, SafetensorsType type,
                                          const std::vector<uint64_t>& shape);

// A file whose head is wholly checked when it is opened: the header's length, every shape, size and offset are compared
// with the bytes at hand before anything is allocated for them. Tensors are in the order of their data. Immutable;
// thread-safe. As with any mapping, the file must not be shortened while it is open.
class SafetensorsFile {
 public:
  // Memory-mapped. Errors name the file, the tensor and what is wrong.
  static absl::StatusOr<std::unique_ptr<SafetensorsFile>> Open(const std::string& path);
  // `bytes` are borrowed; `name` stands for the file in messages.
  static absl::StatusOr<std::unique_ptr<SafetensorsFile>> Parse(std::span<const uint8_t> bytes, std::string name);
  ~SafetensorsFile();

  const std::string& name() const { return name_; }
  const SafetensorsMetadata& metadata() const { return metadata_; }
  const std::vector<SafetensorsTensor>& tensors() const { return tensors_; }
  const SafetensorsTensor* Find(std::string_view name) const;
  std::span<const uint8_t> Data(const SafetensorsTensor& tensor) const {
    return data_.subspan(tensor.offset, tensor.bytes);
  }

 private:
  explicit SafetensorsFile(std::string name) : name_(std::move(name)) {}
  absl::Status ReadHead(std::span<const uint8_t> bytes);
  absl::Status CheckLayout();

  const std::string name_;
  void* mapping_ = nullptr;
  size_t mapping_bytes_ = 0;
  std::span<const uint8_t> data_;
  SafetensorsMetadata metadata_;
  std::vector<SafetensorsTensor> tensors_;
  absl::flat_hash_map<std::string, size_t> index_;
};

}  // namespace enigma::engine
