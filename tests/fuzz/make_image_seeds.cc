// Writes the seed files of corpus/image: small pictures of every kind that engine/image reads. They are committed; run
// this again only when it reads more. Development tool, never needed to build or to test. What else lies there
// (ycck.jpg, exif_*, profile.png, unpacks.png) is made of these: a byte changed, or chunks and segments put in.

#include <cstdio>
#include <fstream>
#include <string>

#include "tests/support/encoded_images.h"

namespace {

using namespace enigma::engine;

void WriteSeed(const std::string& path, const std::vector<uint8_t>& file) {
  std::ofstream(path, std::ios::binary).write(reinterpret_cast<const char*>(file.data()), std::ssize(file));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: %s CORPUS_DIRECTORY\n", argv[0]);
    return 2;
  }
  const std::string folder = std::string(argv[1]) + "/";
  std::vector<uint8_t> samples(size_t{12} * 11 * 8);  // of the widest kind: RGBA of 16 bits
  for (size_t i = 0; i < samples.size(); ++i) samples[i] = static_cast<uint8_t>(i * i / 5 + 3 * i);
  const auto png = [&](const char* name, const PngOptions& options) {
    WriteSeed(folder + name, EncodePngOf(samples, 12, 11, options));
  };
  png("rgb.png", {});
  png("interlaced.png", {.is_interlaced = true, .orientation = 6});
  png("deep.png", {.colour_type = 6, .bits = 16});
  png("grey.png", {.colour_type = 0, .bits = 2, .transparent_grey = 1});
  png("palette.png", {.colour_type = 3, .bits = 1, .palette = {1, 2, 3, 250, 0, 9}, .palette_alpha = {128}});
  const auto jpeg = [&](const char* name, const JpegOptions& options) {
    WriteSeed(folder + name, EncodeJpeg(samples, 12, 11, options));
  };
  jpeg("halved.jpg", {.orientation = 8});
  jpeg("progressive.jpg", {.is_progressive = true, .orientation = 3, .little_endian = true});
  jpeg("grey.jpg", {.components = 1});
  jpeg("inks.jpg", {.components = 4, .halved_colours = false});
  return 0;
}
