#pragma once

#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

#include <absl/status/statusor.h>

#include "engine/spec/gguf.h"

namespace enigma::engine {

// Value types of GGUF metadata, by their number in the file.
enum class GgufValueType : uint32_t {
  kUint8 = 0,
  kInt8 = 1,
  kUint16 = 2,
  kInt16 = 3,
  kUint32 = 4,
  kInt32 = 5,
  kFloat32 = 6,
  kBool = 7,
  kString = 8,
  kArray = 9,
  kUint64 = 10,
  kInt64 = 11,
  kFloat64 = 12,
};

// Walks over the little-endian bytes of a GGUF head. Every read is checked against what remains; an error names the
// file, what was being read (SetSubject) and the byte offset. Borrows the bytes and the name.
class GgufCursor {
 public:
  GgufCursor(std::span<const uint8_t> bytes, const std::string& file) : bytes_(bytes), file_(file) {}

  uint64_t offset() const { return offset_; }
  uint64_t remaining() const { return bytes_.size() - offset_; }
  // "key 'general.name'", "tensor 'output.weight'", "the header".
  void SetSubject(std::string subject) { subject_ = std::move(subject); }

  template <typename T>
  absl::StatusOr<T> Read(const char* what) {
    if (remaining() < sizeof(T)) return Short(what, sizeof(T));
    T value;
    std::memcpy(&value, bytes_.data() + offset_, sizeof(T));
    offset_ += sizeof(T);
    return value;
  }
  // A 64-bit length and that many bytes; `bytes_max` bounds the length. The view lives as long as the bytes.
  absl::StatusOr<std::string_view> ReadString(const char* what, uint64_t bytes_max);
  // A metadata value of the given type, arrays included.
  absl::StatusOr<GgufValue> ReadValue(uint32_t type);

  // An error at `offset`.
  absl::Status ErrorAt(uint64_t offset, std::string_view message) const;
  absl::Status Error(std::string_view message) const { return ErrorAt(offset_, message); }

 private:
  absl::Status Short(const char* what, uint64_t needed) const;
  absl::StatusOr<std::unique_ptr<GgufArray>> ReadArray();

  const std::span<const uint8_t> bytes_;
  const std::string& file_;
  std::string subject_ = "the header";
  uint64_t offset_ = 0;
};

// A name from the file, made fit for a message: escaped, and cut when it is long.
std::string QuotedName(std::string_view name);

}  // namespace enigma::engine
