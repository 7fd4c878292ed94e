#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace enigma::engine {

// Image files of every kind, as other programs write them.
struct JpegOptions {
  int components = 3;  // 1 grey, 3 colours, 4 inks
  bool is_progressive = false;
  int scans = 0;  // above components: so many, most of few coefficients
  bool halved_colours = true;
  int quality = 95;
  int orientation = 0;         // above 0: Exif data that say so
  bool little_endian = false;  // Exif data
};
// samples: [height][width][components]; inks as Adobe's programs store them.
std::vector<uint8_t> EncodeJpeg(const std::vector<uint8_t>& samples, uint32_t width, uint32_t height,
                                const JpegOptions& options = {});

struct PngOptions {
  int colour_type = 2;  // PNG_COLOR_TYPE_*
  int bits = 8;         // of a sample
  bool is_interlaced = false;
  std::vector<uint8_t> palette = {};        // [colours][3]
  std::vector<uint8_t> palette_alpha = {};  // [at most colours]
  int transparent_grey = -1;                // of a grey PNG: the sample that is transparent
  int orientation = 0;
};
// rows: as the file stores them, one after the other, packed to whole bytes.
std::vector<uint8_t> EncodePngOf(const std::vector<uint8_t>& rows, uint32_t width, uint32_t height,
                                 const PngOptions& options = {});

// An RGB PNG with right checksums that says to have so many pixels, and holds the bytes given as compressed ones, and
// as Exif data.
std::vector<uint8_t> PromisingPng(uint32_t width, uint32_t height, const std::string& content,
                                  const std::string& exif = "");

}  // namespace enigma::engine
