#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <type_traits>

namespace enigma::worker {

static_assert(std::endian::native == std::endian::little, "frames are little-endian, and so are all machines served");

// Appends integers to a string of bytes.
template <typename T>
void AppendLittleEndian(std::string& out, T value) {
  static_assert(std::is_integral_v<T>);
  out.append(reinterpret_cast<const char*>(&value), sizeof(T));
}

// Reads integers off the front of a span; every read says whether the bytes were there.
class LittleEndianReader {
 public:
  explicit LittleEndianReader(std::span<const uint8_t> bytes) : bytes_(bytes) {}

  template <typename T>
  [[nodiscard]] bool Read(T& value) {
    static_assert(std::is_integral_v<T>);
    if (bytes_.size() < sizeof(T)) return false;
    std::memcpy(&value, bytes_.data(), sizeof(T));
    bytes_ = bytes_.subspan(sizeof(T));
    return true;
  }
  [[nodiscard]] bool ReadBytes(size_t count, std::span<const uint8_t>& out) {
    if (bytes_.size() < count) return false;
    out = bytes_.first(count);
    bytes_ = bytes_.subspan(count);
    return true;
  }
  size_t remaining() const { return bytes_.size(); }

 private:
  std::span<const uint8_t> bytes_;
};

}  // namespace enigma::worker
