// The only file that knows libjpeg. It is written as C would be: between setjmp and longjmp there is no object with a
// destructor, and what must outlive a jump is in the structs that the caller gives.
#include "engine/image/jpeg_codec.h"

// libjpeg's headers need what stands before them.
// clang-format off
#include <csetjmp>
#include <cstdio>
#include <cstring>

#include <jpeglib.h>
#include <jerror.h>
// clang-format on

#include "engine/image/exif.h"

namespace enigma::engine {
namespace {

constexpr int kScansMax = 40;  // encoders write about ten; every scan costs a pass over the picture
constexpr long kLibraryBytesMax = 512L * 1024 * 1024;  // coefficients of all scans
constexpr int kExifMarker = JPEG_APP0 + 1;

// Begins with libjpeg's structs, so that its callbacks find the rest behind them.
struct ErrorManager {
  jpeg_error_mgr base;
  std::jmp_buf jump;
  char* complaint;
};

[[noreturn]] void OnError(j_common_ptr cinfo) {
  auto* manager = reinterpret_cast<ErrorManager*>(cinfo->err);
  char message[JMSG_LENGTH_MAX];
  cinfo->err->format_message(cinfo, message);
  std::snprintf(manager->complaint, kCodecComplaintBytes, "%s", message);
  std::longjmp(manager->jump, 1);
}

// The library goes on after most damage and fills in grey; a model would be asked about what nobody has seen. Only what
// leaves the pixels whole is let pass.
void OnMessage(j_common_ptr cinfo, int level) {
  if (level >= 0) return;
  const int code = cinfo->err->msg_code;
  if (code == JWRN_EXTRANEOUS_DATA || code == JWRN_JFIF_MAJOR || code == JWRN_ADOBE_XFORM) return;
  OnError(cinfo);
}

void OnProgress(j_common_ptr cinfo) {
  if (reinterpret_cast<j_decompress_ptr>(cinfo)->input_scan_number <= kScansMax) return;
  auto* manager = reinterpret_cast<ErrorManager*>(cinfo->err);
  std::snprintf(manager->complaint, kCodecComplaintBytes, "it has more than %d scans", kScansMax);
  std::longjmp(manager->jump, 1);
}

void SetUp(jpeg_decompress_struct* cinfo, ErrorManager* manager, JpegReading* reading) {
  cinfo->err = jpeg_std_error(&manager->base);
  manager->base.error_exit = OnError;
  manager->base.emit_message = OnMessage;
  manager->complaint = reading->complaint;
}

void Open(jpeg_decompress_struct* cinfo, JpegReading* reading) {
  jpeg_create_decompress(cinfo);
  cinfo->mem->max_memory_to_use = kLibraryBytesMax;
  jpeg_mem_src(cinfo, reading->bytes, reading->size);
}

uint8_t OrientationOf(const jpeg_decompress_struct* cinfo) {
  for (jpeg_saved_marker_ptr marker = cinfo->marker_list; marker != nullptr; marker = marker->next) {
    if (marker->marker != kExifMarker || marker->data_length < 6) continue;
    if (std::memcmp(marker->data, "Exif\0\0", 6) != 0) continue;
    return static_cast<uint8_t>(ExifOrientation(marker->data, marker->data_length));
  }
  return 1;
}

// Inks to light. Adobe's programs store how much light an ink leaves; others how much ink there is.
void CmykToRgb(const uint8_t* cmyk, uint32_t width, bool is_inverted, uint8_t* rgb) {
  const unsigned flip = is_inverted ? 0 : 255;
  for (uint32_t x = 0; x < width; ++x) {
    const unsigned black = cmyk[4 * x + 3] ^ flip;
    for (unsigned c = 0; c < 3; ++c)
      rgb[3 * x + c] = static_cast<uint8_t>(((cmyk[4 * x + c] ^ flip) * black + 127) / 255);
  }
}

void ReadRows(jpeg_decompress_struct* cinfo, JpegReading* reading) {
  const bool is_cmyk = cinfo->out_color_space == JCS_CMYK;
  auto* common = reinterpret_cast<j_common_ptr>(cinfo);
  JSAMPARRAY inks = is_cmyk ? cinfo->mem->alloc_sarray(common, JPOOL_IMAGE, 4 * cinfo->output_width, 1) : nullptr;
  while (cinfo->output_scanline < cinfo->output_height) {
    uint8_t* row = reading->rgb + size_t{3} * reading->width * cinfo->output_scanline;
    jpeg_read_scanlines(cinfo, is_cmyk ? inks : &row, 1);
    if (is_cmyk) CmykToRgb(inks[0], cinfo->output_width, cinfo->saw_Adobe_marker != 0, row);
  }
}

// Of what the library can do only arithmetic that is the same with and without SIMD.
void Decode(jpeg_decompress_struct* cinfo, JpegReading* reading) {
  jpeg_save_markers(cinfo, kExifMarker, 0xFFFF);
  jpeg_read_header(cinfo, TRUE);
  const bool is_inks = cinfo->jpeg_color_space == JCS_CMYK || cinfo->jpeg_color_space == JCS_YCCK;
  cinfo->out_color_space = is_inks ? JCS_CMYK : JCS_RGB;
  cinfo->dct_method = JDCT_ISLOW;
  cinfo->do_block_smoothing = FALSE;
  jpeg_start_decompress(cinfo);
  const bool is_as_said = cinfo->output_width == reading->width && cinfo->output_height == reading->height &&
                          cinfo->output_components == (is_inks ? 4 : 3);
  if (!is_as_said) ERREXIT(cinfo, JERR_BAD_LENGTH);
  ReadRows(cinfo, reading);
  reading->orientation = OrientationOf(cinfo);  // the end forgets markers
  jpeg_finish_decompress(cinfo);
  reading->rest = cinfo->src->bytes_in_buffer;
}

}  // namespace

bool ReadJpegSize(JpegReading* reading) {
  jpeg_decompress_struct cinfo = {};
  ErrorManager manager = {};
  SetUp(&cinfo, &manager, reading);
  if (setjmp(manager.jump) != 0) {
    jpeg_destroy_decompress(&cinfo);
    return false;
  }
  Open(&cinfo, reading);
  jpeg_read_header(&cinfo, TRUE);
  reading->width = cinfo.image_width;
  reading->height = cinfo.image_height;
  jpeg_destroy_decompress(&cinfo);
  return true;
}

bool ReadJpegPixels(JpegReading* reading) {
  jpeg_decompress_struct cinfo = {};
  ErrorManager manager = {};
  jpeg_progress_mgr progress = {};
  SetUp(&cinfo, &manager, reading);
  if (setjmp(manager.jump) != 0) {
    jpeg_destroy_decompress(&cinfo);
    return false;
  }
  Open(&cinfo, reading);
  progress.progress_monitor = OnProgress;
  cinfo.progress = &progress;
  Decode(&cinfo, reading);
  jpeg_destroy_decompress(&cinfo);
  return true;
}

}  // namespace enigma::engine
