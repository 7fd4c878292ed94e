// The only file that knows libpng. It is written as C would be: between setjmp and longjmp there is no object with a
// destructor, and what must outlive a jump is in the struct that the caller gives and in variables of the function that
// called the one setjmp returns to.
#include "engine/image/png_codec.h"

#include <png.h>

#include <csetjmp>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "engine/image/exif.h"

namespace enigma::engine {
namespace {

constexpr png_alloc_size_t kChunkBytesMax = 1 << 20;  // of a chunk that is kept; a longer one counts as none

// Bytes of the file that may follow the data of the last row: the library reads on and unpacks to the end of them, a
// thousand bytes of each, and keeps nothing.
constexpr size_t kTailBytesMax = 64 << 10;

// What says nothing about the pixels is skipped unread: texts and profiles are compressed, and can grow without bound.
constexpr png_byte kSkippedChunks[] =
    "bKGD\0cHRM\0gAMA\0hIST\0iCCP\0iTXt\0oFFs\0pCAL\0pHYs\0sBIT\0sCAL\0sPLT\0sRGB\0tEXt\0tIME\0zTXt";
constexpr int kSkippedChunkCount = sizeof(kSkippedChunks) / 5;
// Kept as it lies in the file: the library would take memory for all that its length promises.
constexpr png_byte kExifChunk[] = "eXIf";

void Complain(char* complaint, const char* message) { std::snprintf(complaint, kCodecComplaintBytes, "%s", message); }

[[noreturn]] void OnPngError(png_structp png, png_const_charp message) {
  Complain(static_cast<char*>(png_get_error_ptr(png)), message);
  png_longjmp(png, 1);
}

// Most warnings are about chunks that play no part. Those about pixels ("IDAT: Too much image data", ".Too many IDATs
// found") say that there is more in them than the picture.
void OnPngWarning(png_structp png, png_const_charp message) {
  if (std::strstr(message, "IDAT") != nullptr) OnPngError(png, message);
}

void ReadBytes(png_structp png, png_bytep out, size_t count) {
  auto* reading = static_cast<PngReading*>(png_get_io_ptr(png));
  if (count > reading->size - reading->at) png_error(png, "it is cut short");
  if (reading->at + count > reading->end_max) png_error(png, "more follows its last row");
  std::memcpy(out, reading->bytes + reading->at, count);
  reading->at += count;
}

void WriteBytes(png_structp png, png_bytep bytes, size_t count) {
  auto* writing = static_cast<PngWriting*>(png_get_io_ptr(png));
  if (count > writing->capacity - writing->size) {
    const size_t capacity = 2 * (writing->capacity + count);
    auto* grown = static_cast<uint8_t*>(std::realloc(writing->bytes, capacity));
    if (grown == nullptr) png_error(png, "there is no memory for it");
    writing->bytes = grown;
    writing->capacity = capacity;
  }
  std::memcpy(writing->bytes + writing->size, bytes, count);
  writing->size += count;
}

void Flush(png_structp) {}

// Whatever the file holds, rows come as 8-bit RGBA.
void AskForRgba(png_structp png, png_infop info) {
  png_set_scale_16(png);
  png_set_expand(png);  // palettes, fewer bits, and a transparent colour
  png_set_gray_to_rgb(png);
  png_set_add_alpha(png, 0xFF, PNG_FILLER_AFTER);
  png_set_interlace_handling(png);
  png_read_update_info(png, info);
}

// From the last row until the data of pixels end, ReadBytes goes no further than any last row needs.
void ReadLastRow(png_structp png, png_bytep row, PngReading* reading) {
  reading->end_max = reading->at + size_t{8} * reading->width + kTailBytesMax;  // 8: RGBA of 16 bits
  png_read_row(png, row, nullptr);
  reading->end_max = reading->size;
}

void ReadPngRows(png_structp png, png_infop info, PngReading* reading) {
  const bool is_as_said = png_get_image_width(png, info) == reading->width &&
                          png_get_image_height(png, info) == reading->height &&
                          png_get_rowbytes(png, info) == size_t{4} * reading->width;
  if (!is_as_said) png_error(png, "its header contradicts itself");
  const int passes = png_get_interlace_type(png, info) == PNG_INTERLACE_ADAM7 ? 7 : 1;
  for (int pass = 0; pass < passes; ++pass) {
    for (uint32_t y = 0; y < reading->height; ++y) {
      png_bytep row = reading->rgba + size_t{4} * reading->width * y;
      if (pass == passes - 1 && y == reading->height - 1) {
        ReadLastRow(png, row, reading);
      } else {
        png_read_row(png, row, nullptr);
      }
    }
  }
}

void ReadOrientation(png_structp png, png_infop info, PngReading* reading) {
  png_unknown_chunkp chunks = nullptr;
  const int count = png_get_unknown_chunks(png, info, &chunks);
  reading->orientation = 1;
  for (int i = 0; i < count; ++i) {
    if (std::memcmp(chunks[i].name, kExifChunk, 4) != 0) continue;
    reading->orientation = static_cast<uint8_t>(ExifOrientation(chunks[i].data, chunks[i].size));
    return;
  }
}

// False where libpng has jumped back.
bool ReadWhole(png_structp png, png_infop info, PngReading* reading) {
  if (setjmp(png_jmpbuf(png)) != 0) return false;
  reading->end_max = reading->size;
  png_set_user_limits(png, reading->width, reading->height);
  png_set_chunk_malloc_max(png, kChunkBytesMax);
  png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_NEVER, kSkippedChunks, kSkippedChunkCount);
  png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_ALWAYS, kExifChunk, 1);
  png_set_read_fn(png, reading, ReadBytes);
  png_read_info(png, info);
  AskForRgba(png, info);
  ReadPngRows(png, info, reading);
  png_read_end(png, info);
  ReadOrientation(png, info, reading);
  return true;
}

bool WriteWhole(png_structp png, png_infop info, PngWriting* writing) {
  if (setjmp(png_jmpbuf(png)) != 0) return false;
  png_set_write_fn(png, writing, WriteBytes, Flush);
  png_set_compression_level(png, 9);
  png_set_IHDR(png, info, writing->width, writing->height, 8, PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE,
               PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
  png_write_info(png, info);
  for (uint32_t y = 0; y < writing->height; ++y) png_write_row(png, writing->rgb + size_t{3} * writing->width * y);
  png_write_end(png, info);
  return true;
}

}  // namespace

bool ReadPngPixels(PngReading* reading) {
  png_structp png = png_create_read_struct(PNG_LIBPNG_VER_STRING, reading->complaint, OnPngError, OnPngWarning);
  png_infop info = png == nullptr ? nullptr : png_create_info_struct(png);
  if (info == nullptr) Complain(reading->complaint, "there is no memory for it");
  const bool is_read = info != nullptr && ReadWhole(png, info, reading);
  png_destroy_read_struct(&png, &info, nullptr);
  return is_read;
}

bool WritePng(PngWriting* writing) {
  png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, writing->complaint, OnPngError, OnPngWarning);
  png_infop info = png == nullptr ? nullptr : png_create_info_struct(png);
  if (info == nullptr) Complain(writing->complaint, "there is no memory for it");
  const bool is_written = info != nullptr && WriteWhole(png, info, writing);
  png_destroy_write_struct(&png, &info);
  return is_written;
}

}  // namespace enigma::engine
