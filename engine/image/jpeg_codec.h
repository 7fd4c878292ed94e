#pragma once

#include <cstddef>
#include <cstdint>

#include "engine/image/codec_complaint.h"

namespace enigma::engine {

// What jpeg_codec.cc and libjpeg share. Plain data: libjpeg leaves by longjmp, which runs no destructor.
struct JpegReading {
  const uint8_t* bytes;  // the file
  size_t size;
  size_t rest;  // bytes behind the picture's end
  uint32_t width;
  uint32_t height;
  uint64_t bytes_min;   // that so many pixels take
  bool several_scans;   // coefficients of all the picture are in memory until the last
  uint8_t* rgb;         // [height][width][3], where the pixels go
  uint8_t orientation;  // of Exif data, 1 to 8
  char complaint[kCodecComplaintBytes];
};

// Reads markers up to the first scan and sets width, height, bytes_min and several_scans. False, with a complaint,
// where they are damaged, or the file is arithmetic-coded.
[[nodiscard]] bool ReadJpegSize(JpegReading* reading);

// Decodes the whole file into `rgb`, which has room for width x height. False, with a complaint, where it is damaged.
[[nodiscard]] bool ReadJpegPixels(JpegReading* reading);

}  // namespace enigma::engine
