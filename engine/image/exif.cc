#include "engine/image/exif.h"

#include <cstring>

namespace enigma::engine {
namespace {

// Numbers of a TIFF structure; 0 for what lies beyond its end.
struct TiffBytes {
  const uint8_t* data;
  size_t size;
  bool big_endian;

  uint32_t Read16(size_t at) const {
    if (size < 2 || at > size - 2) return 0;
    return big_endian ? uint32_t{data[at]} << 8 | data[at + 1] : uint32_t{data[at + 1]} << 8 | data[at];
  }
  uint32_t Read32(size_t at) const {
    const uint32_t first = Read16(at), second = Read16(at + 2);
    return big_endian ? first << 16 | second : second << 16 | first;
  }
};

}  // namespace

Orientation ExifOrientation(const uint8_t* data, size_t size) {
  constexpr size_t kEntryBytes = 12;
  constexpr uint32_t kTag = 0x0112, kShort = 3;
  if (size >= 6 && std::memcmp(data, "Exif\0\0", 6) == 0) {
    data += 6;
    size -= 6;
  }
  if (size < 8) return Orientation::kUpright;
  const bool big_endian = std::memcmp(data, "MM\0*", 4) == 0;
  if (!big_endian && std::memcmp(data, "II*\0", 4) != 0) return Orientation::kUpright;
  const TiffBytes tiff = {data, size, big_endian};
  const size_t directory = tiff.Read32(4);
  const size_t entries = tiff.Read16(directory);
  for (size_t i = 0; i < entries; ++i) {
    const size_t entry = directory + 2 + i * kEntryBytes;
    if (tiff.Read16(entry) != kTag) continue;
    const uint32_t value = tiff.Read16(entry + 8);
    if (tiff.Read16(entry + 2) != kShort || value < 1 || value > 8) return Orientation::kUpright;
    return static_cast<Orientation>(value);
  }
  return Orientation::kUpright;
}

}  // namespace enigma::engine
