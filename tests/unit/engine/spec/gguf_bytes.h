#pragma once

#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace enigma::engine::testing {

// Writes a GGUF file byte by byte, lies included. Numbers are little-endian; every method appends.
class GgufBytes {
 public:
  template <typename T>
  GgufBytes& Put(T value) {
    const size_t at = bytes_.size();
    bytes_.resize(at + sizeof value);
    std::memcpy(bytes_.data() + at, &value, sizeof value);
    return *this;
  }
  GgufBytes& U32(uint32_t value) { return Put(value); }
  GgufBytes& U64(uint64_t value) { return Put(value); }
  GgufBytes& Raw(std::string_view text) {
    bytes_.insert(bytes_.end(), text.begin(), text.end());
    return *this;
  }
  GgufBytes& Text(std::string_view text) { return U64(text.size()).Raw(text); }

  GgufBytes& Header(uint64_t tensors, uint64_t pairs, uint32_t version = 3) {
    return Raw("GGUF").U32(version).U64(tensors).U64(pairs);
  }
  GgufBytes& UintPair(std::string_view key, uint32_t value) { return Text(key).U32(4).U32(value); }
  GgufBytes& FloatPair(std::string_view key, float value) { return Text(key).U32(6).Put(value); }
  GgufBytes& TextPair(std::string_view key, std::string_view value) { return Text(key).U32(8).Text(value); }
  GgufBytes& Tensor(std::string_view name, std::initializer_list<uint64_t> shape, uint32_t type, uint64_t offset) {
    Text(name).U32(static_cast<uint32_t>(shape.size()));
    for (const uint64_t extent : shape) U64(extent);
    return U32(type).U64(offset);
  }
  // Zeros up to the next multiple of `alignment`, then `bytes` more.
  GgufBytes& Data(uint64_t bytes, uint64_t alignment = 32) {
    bytes_.resize((bytes_.size() + alignment - 1) / alignment * alignment + bytes);
    return *this;
  }

  std::span<const uint8_t> bytes() const { return bytes_; }
  size_t size() const { return bytes_.size(); }

 private:
  std::vector<uint8_t> bytes_;
};

}  // namespace enigma::engine::testing
