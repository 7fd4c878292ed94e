#pragma once

#include <cstddef>
#include <cstdint>

#include "engine/image/codec_complaint.h"

namespace enigma::engine {

// What png_codec.cc and libpng share. Plain data: libpng leaves by longjmp, which runs no destructor.
struct PngReading {
  const uint8_t* bytes;  // the file
  size_t size;
  size_t at;       // bytes of it that are read
  size_t end_max;  // of the bytes that may be read for now
  uint32_t width;  // as the header says
  uint32_t height;
  uint8_t* rgba;        // [height][width][4], where the pixels go
  uint8_t orientation;  // of Exif data, 1 to 8
  char complaint[kCodecComplaintBytes];
};

// Decodes the whole file, up to the end of IEND. False, with a complaint, where it is damaged.
[[nodiscard]] bool ReadPngPixels(PngReading* reading);

// A growing block of malloc, for the same reason. The caller frees `bytes`.
struct PngWriting {
  const uint8_t* rgb;  // [height][width][3]
  uint32_t width;
  uint32_t height;
  uint8_t* bytes;
  size_t size;
  size_t capacity;
  char complaint[kCodecComplaintBytes];
};
[[nodiscard]] bool WritePng(PngWriting* writing);

}  // namespace enigma::engine
