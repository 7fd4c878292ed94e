#include "tests/support/encoded_images.h"

#include <png.h>
#include <zlib.h>

// libjpeg's header needs what stands before it.
// clang-format off
#include <cstdio>
#include <cstdlib>

#include <jpeglib.h>
// clang-format on

namespace enigma::engine {
namespace {

using FileBytes = std::vector<uint8_t>;

FileBytes ExifOf(int orientation, bool little_endian) {
  const auto tag = static_cast<uint8_t>(orientation);
  if (little_endian) {
    return {'I', 'I', '*', 0, 8, 0, 0, 0, 1, 0, 0x12, 1, 3, 0, 1, 0, 0, 0, tag, 0, 0, 0, 0, 0, 0, 0};
  }
  return {'M', 'M', 0, '*', 0, 0, 0, 8, 0, 1, 1, 0x12, 0, 3, 0, 0, 0, 1, 0, tag, 0, 0, 0, 0, 0, 0};
}

// A scan of all first coefficients, then `count - 1` that share out the other 63 of every component in bands: nothing
// is left out. At least one for each component, and at most 63.
std::vector<jpeg_scan_info> ScansOf(int components, int count) {
  std::vector<jpeg_scan_info> scans = {{components, {0, 1, 2, 3}, 0, 0, 0, 0}};
  for (int c = 0; c < components; ++c) {
    const int bands = (count - 1) / components + (c < (count - 1) % components ? 1 : 0);
    for (int i = 0; i < bands; ++i) scans.push_back({1, {c}, 1 + 63 * i / bands, 63 * (i + 1) / bands, 0, 0});
  }
  return scans;
}

}  // namespace

FileBytes EncodeJpeg(const FileBytes& samples, uint32_t width, uint32_t height, const JpegOptions& options) {
  jpeg_compress_struct cinfo = {};
  jpeg_error_mgr errors = {};
  cinfo.err = jpeg_std_error(&errors);
  jpeg_create_compress(&cinfo);
  unsigned char* bytes = nullptr;
  unsigned long size = 0;
  jpeg_mem_dest(&cinfo, &bytes, &size);
  cinfo.image_width = width;
  cinfo.image_height = height;
  cinfo.input_components = options.components;
  cinfo.in_color_space = options.components == 1 ? JCS_GRAYSCALE : options.components == 3 ? JCS_RGB : JCS_CMYK;
  jpeg_set_defaults(&cinfo);
  jpeg_set_quality(&cinfo, options.quality, TRUE);
  if (!options.halved_colours) {
    for (int c = 0; c < cinfo.num_components; ++c)
      cinfo.comp_info[c].h_samp_factor = cinfo.comp_info[c].v_samp_factor = 1;
  }
  if (options.is_progressive) jpeg_simple_progression(&cinfo);
  std::vector<jpeg_scan_info> scans;
  if (options.scans > 0) {
    scans = ScansOf(options.components, options.scans);
    cinfo.scan_info = scans.data();
    cinfo.num_scans = options.scans;
  }
  jpeg_start_compress(&cinfo, TRUE);
  if (options.orientation > 0) {
    FileBytes marker = {'E', 'x', 'i', 'f', 0, 0};
    const FileBytes exif = ExifOf(options.orientation, options.little_endian);
    marker.insert(marker.end(), exif.begin(), exif.end());
    jpeg_write_marker(&cinfo, JPEG_APP0 + 1, marker.data(), static_cast<unsigned>(marker.size()));
  }
  const size_t stride = size_t{width} * static_cast<size_t>(options.components);
  while (cinfo.next_scanline < height) {
    auto* row = const_cast<uint8_t*>(samples.data() + stride * cinfo.next_scanline);
    jpeg_write_scanlines(&cinfo, &row, 1);
  }
  jpeg_finish_compress(&cinfo);
  jpeg_destroy_compress(&cinfo);
  FileBytes file(bytes, bytes + size);
  std::free(bytes);
  return file;
}

FileBytes EncodePngOf(const FileBytes& rows, uint32_t width, uint32_t height, const PngOptions& options) {
  png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, nullptr, nullptr, nullptr);
  png_infop info = png_create_info_struct(png);
  FileBytes file;
  png_set_write_fn(
      png, &file,
      [](png_structp writer, png_bytep bytes, size_t count) {
        auto* out = static_cast<FileBytes*>(png_get_io_ptr(writer));
        out->insert(out->end(), bytes, bytes + count);
      },
      nullptr);
  png_set_IHDR(png, info, width, height, options.bits, options.colour_type,
               options.is_interlaced ? PNG_INTERLACE_ADAM7 : PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT,
               PNG_FILTER_TYPE_DEFAULT);
  std::vector<png_color> colours(options.palette.size() / 3);
  for (size_t i = 0; i < colours.size(); ++i) {
    colours[i] = {options.palette[3 * i], options.palette[3 * i + 1], options.palette[3 * i + 2]};
  }
  if (!colours.empty()) png_set_PLTE(png, info, colours.data(), static_cast<int>(colours.size()));
  if (!options.palette_alpha.empty()) {
    png_set_tRNS(png, info, options.palette_alpha.data(), static_cast<int>(options.palette_alpha.size()), nullptr);
  }
  if (options.transparent_grey >= 0) {
    png_color_16 transparent = {};
    transparent.gray = static_cast<uint16_t>(options.transparent_grey);
    png_set_tRNS(png, info, nullptr, 0, &transparent);
  }
  FileBytes exif = ExifOf(options.orientation, false);
  if (options.orientation > 0) png_set_eXIf_1(png, info, static_cast<png_uint_32>(exif.size()), exif.data());
  png_write_info(png, info);
  const size_t stride = png_get_rowbytes(png, info);
  std::vector<png_bytep> row_pointers;
  for (uint32_t y = 0; y < height; ++y) row_pointers.push_back(const_cast<uint8_t*>(rows.data() + stride * y));
  png_write_image(png, row_pointers.data());
  png_write_end(png, info);
  png_destroy_write_struct(&png, &info);
  return file;
}

FileBytes PromisingPng(uint32_t width, uint32_t height, const std::string& content, const std::string& exif) {
  FileBytes file = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1A, '\n'};
  const auto number = [&file](uint32_t value) {
    for (int shift = 24; shift >= 0; shift -= 8) file.push_back(static_cast<uint8_t>(value >> shift));
  };
  const auto chunk = [&](const std::string& name, const FileBytes& body) {
    number(static_cast<uint32_t>(body.size()));
    const size_t from = file.size();
    file.insert(file.end(), name.begin(), name.end());
    file.insert(file.end(), body.begin(), body.end());
    number(static_cast<uint32_t>(crc32(0, file.data() + from, static_cast<uInt>(file.size() - from))));
  };
  FileBytes header;
  std::swap(header, file);
  number(width);
  number(height);
  file.insert(file.end(), {8, 2, 0, 0, 0});
  std::swap(header, file);
  chunk("IHDR", header);
  if (!exif.empty()) chunk("eXIf", FileBytes(exif.begin(), exif.end()));
  chunk("IDAT", FileBytes(content.begin(), content.end()));
  chunk("IEND", {});
  return file;
}

}  // namespace enigma::engine
