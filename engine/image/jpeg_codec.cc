// The only file that knows libjpeg. It is written as C would be: between setjmp and longjmp there is no object with a
// destructor, and what must outlive a jump is in structs made outside of the function that setjmp returns to.
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

// libjpeg's callbacks find it as `client_data`.
struct JpegSession {
  jpeg_decompress_struct cinfo;
  jpeg_error_mgr errors;
  jpeg_progress_mgr progress;
  std::jmp_buf jump;
  JpegReading* reading;
  bool has_exif;  // seen already: the first counts
};

JpegSession* SessionOf(j_common_ptr cinfo) { return static_cast<JpegSession*>(cinfo->client_data); }

[[noreturn]] void Refuse(JpegSession* session, const char* complaint) {
  std::snprintf(session->reading->complaint, kCodecComplaintBytes, "%s", complaint);
  std::longjmp(session->jump, 1);
}

[[noreturn]] void OnJpegError(j_common_ptr cinfo) {
  char message[JMSG_LENGTH_MAX];
  cinfo->err->format_message(cinfo, message);
  Refuse(SessionOf(cinfo), message);
}

// The library goes on after most damage and fills in grey; a model would be asked about what nobody has seen. Only what
// leaves the pixels whole is let pass. Bytes between markers do as long as no scan has begun; later they stand where
// the picture should have ended, and may be something else as well.
void OnJpegMessage(j_common_ptr cinfo, int level) {
  if (level >= 0) return;
  const int code = cinfo->err->msg_code;
  const bool is_before_scans = SessionOf(cinfo)->cinfo.input_scan_number == 0;
  if (code == JWRN_JFIF_MAJOR || code == JWRN_ADOBE_XFORM) return;
  if (code == JWRN_EXTRANEOUS_DATA && is_before_scans) return;
  OnJpegError(cinfo);
}

void OnJpegProgress(j_common_ptr cinfo) {
  JpegSession* session = SessionOf(cinfo);
  if (session->cinfo.input_scan_number <= kScansMax) return;
  char complaint[64];
  std::snprintf(complaint, sizeof complaint, "it has more than %d scans", kScansMax);
  Refuse(session, complaint);
}

// Reads the marker where it lies, the whole file being in memory: markers that the library saves take memory beside its
// limit, and time that grows with the square of their number.
boolean OnExif(j_decompress_ptr cinfo) {
  JpegSession* session = SessionOf(reinterpret_cast<j_common_ptr>(cinfo));
  jpeg_source_mgr* source = cinfo->src;
  const uint8_t* marker = source->next_input_byte;
  if (source->bytes_in_buffer < 2) ERREXIT(cinfo, JERR_INPUT_EOF);
  const size_t length = size_t{marker[0]} << 8 | marker[1];  // its own two bytes among them
  if (length < 2) ERREXIT(cinfo, JERR_BAD_LENGTH);
  if (length > source->bytes_in_buffer) ERREXIT(cinfo, JERR_INPUT_EOF);
  if (!session->has_exif && length >= 8 && std::memcmp(marker + 2, "Exif\0\0", 6) == 0) {
    session->has_exif = true;
    session->reading->orientation = static_cast<uint8_t>(ExifOrientation(marker + 2, length - 2));
  }
  source->next_input_byte += length;
  source->bytes_in_buffer -= length;
  return TRUE;
}

// Every marker up to the first scan.
void ReadHeader(JpegSession* session) {
  jpeg_decompress_struct* cinfo = &session->cinfo;
  jpeg_create_decompress(cinfo);
  cinfo->mem->max_memory_to_use = kLibraryBytesMax;
  jpeg_mem_src(cinfo, session->reading->bytes, session->reading->size);
  jpeg_set_marker_processor(cinfo, kExifMarker, OnExif);
  jpeg_read_header(cinfo, TRUE);
  // Its decoder finds a value in whatever bytes there are, and none missing.
  if (cinfo->arith_code) Refuse(session, "it is arithmetic-coded, where a loss would not be noticed");
}

void ReadSize(JpegSession* session) {
  ReadHeader(session);
  JpegReading* reading = session->reading;
  reading->width = session->cinfo.image_width;
  reading->height = session->cinfo.image_height;
  reading->several_scans = jpeg_has_multiple_scans(&session->cinfo) != FALSE;
  uint64_t blocks = 0;
  for (int c = 0; c < session->cinfo.num_components; ++c) {
    const jpeg_component_info& component = session->cinfo.comp_info[c];
    blocks += uint64_t{component.width_in_blocks} * component.height_in_blocks;
  }
  reading->bytes_min = blocks / 8;  // a block of eight by eight has a bit at least
}

// That scans were sent of every component, and of a progressive file every bit of every coefficient: a file that is cut
// between two scans, and ended there, lacks nothing else.
void CheckComplete(JpegSession* session) {
  const jpeg_decompress_struct& cinfo = session->cinfo;
  for (int c = 0; c < cinfo.num_components; ++c) {
    bool is_complete = cinfo.comp_info[c].quant_table != nullptr;
    for (int k = 0; cinfo.coef_bits != nullptr && k < DCTSIZE2; ++k) is_complete &= cinfo.coef_bits[c][k] == 0;
    if (!is_complete) Refuse(session, "it lacks scans");
  }
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

void ReadJpegRows(jpeg_decompress_struct* cinfo, JpegReading* reading) {
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
void ReadPixels(JpegSession* session) {
  jpeg_decompress_struct* cinfo = &session->cinfo;
  JpegReading* reading = session->reading;
  session->progress.progress_monitor = OnJpegProgress;
  ReadHeader(session);
  cinfo->progress = &session->progress;
  const bool is_inks = cinfo->jpeg_color_space == JCS_CMYK || cinfo->jpeg_color_space == JCS_YCCK;
  cinfo->out_color_space = is_inks ? JCS_CMYK : JCS_RGB;
  cinfo->dct_method = JDCT_ISLOW;
  cinfo->do_block_smoothing = FALSE;
  jpeg_start_decompress(cinfo);
  CheckComplete(session);
  const bool is_as_said = cinfo->output_width == reading->width && cinfo->output_height == reading->height &&
                          cinfo->output_components == (is_inks ? 4 : 3);
  if (!is_as_said) ERREXIT(cinfo, JERR_BAD_LENGTH);
  ReadJpegRows(cinfo, reading);
  jpeg_finish_decompress(cinfo);
  reading->rest = cinfo->src->bytes_in_buffer;
}

// True where `work` comes back without a jump.
bool ComesBack(void (*work)(JpegSession*), JpegSession* session) {
  if (setjmp(session->jump) != 0) return false;
  work(session);
  return true;
}

bool RunSession(void (*work)(JpegSession*), JpegReading* reading) {
  JpegSession session = {};
  session.reading = reading;
  session.cinfo.client_data = &session;
  session.cinfo.err = jpeg_std_error(&session.errors);
  session.errors.error_exit = OnJpegError;
  session.errors.emit_message = OnJpegMessage;
  reading->orientation = 1;
  const bool is_done = ComesBack(work, &session);
  jpeg_destroy_decompress(&session.cinfo);
  return is_done;
}

}  // namespace

bool ReadJpegSize(JpegReading* reading) { return RunSession(ReadSize, reading); }

bool ReadJpegPixels(JpegReading* reading) { return RunSession(ReadPixels, reading); }

}  // namespace enigma::engine
