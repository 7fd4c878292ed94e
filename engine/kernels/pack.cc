#include <algorithm>
#include <cstring>

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>

#include "engine/kernels/block_formats.h"
#include "engine/kernels/matmul.h"
#include "engine/kernels/panel_layout.h"

namespace enigma::engine {
namespace {

// Places the 16 nibble bytes of a block whose byte i holds elements i and i + 16: already what a panel wants.
void PlaceNibbles(const uint8_t* nibbles, int row, uint8_t* codes) {
  for (int c = 0; c < 4; ++c) std::memcpy(codes + c * 64 + row * 4, nibbles + c * 4, 4);
}

// Bits 0, 4, 8, ... 28 of x gathered into a byte.
uint8_t GatherEveryFourth(uint32_t x) {
  x &= 0x11111111U;
  x = (x | (x >> 3)) & 0x03030303U;
  x = (x | (x >> 6)) & 0x000F000FU;
  return static_cast<uint8_t>(x | (x >> 12));
}

void PlaceFifthBits(uint32_t bits, int row, uint8_t* high) {
  for (int b = 0; b < 4; ++b) high[row * 4 + b] = GatherEveryFourth(bits >> b);
}

// One stored block of 32 of one row into unit `unit` at block `sub`.
void PlaceBlock32(DType type, const PanelLayout& layout, const uint8_t* block, int row, size_t sub, uint8_t* unit) {
  uint8_t* codes = unit + layout.codes + sub * layout.block_bytes;
  std::memcpy(unit + layout.scales + sub * 32 + row * 2, block, 2);
  const uint8_t* at = block + 2;
  if (type == DType::kQ4_1 || type == DType::kQ5_1) {
    std::memcpy(unit + layout.minima + sub * 32 + row * 2, at, 2);
    at += 2;
  }
  if (layout.high != 0) {
    PlaceFifthBits(LoadU32(at), row, unit + layout.high + sub * layout.block_bytes);
    at += 4;
  }
  if (type == DType::kQ8_0) {
    for (int j = 0; j < 8; ++j) std::memcpy(codes + j * 64 + row * 4, at + j * 4, 4);
  } else {
    PlaceNibbles(at, row, codes);
  }
}

// Four nibbles of four bytes each, chosen by `shift` (0 or 4), from `p` and `p + 16`, joined to nibble bytes.
uint32_t JoinNibbles(const uint8_t* p, int shift) {
  return ((LoadU32(p) >> shift) & 0x0F0F0F0FU) | (((LoadU32(p + 16) >> shift) & 0x0F0F0F0FU) << 4);
}

void PlaceSuperBlockQ45K(DType type, const PanelLayout& layout, const uint8_t* block, int row, uint8_t* unit) {
  std::memcpy(unit + layout.scales + row * 2, block, 2);
  std::memcpy(unit + layout.minima + row * 2, block + 2, 2);
  const uint8_t* nibbles = block + (type == DType::kQ5_K ? kQ5KNibbles : kQ4KNibbles);
  for (int s = 0; s < 8; ++s) {
    uint8_t* scales = unit + layout.sub_scales + s * 32;
    KScale(block + kQ4KScales, s, scales + row, scales + 16 + row);
    uint8_t* codes = unit + layout.codes + s * layout.block_bytes;
    for (int c = 0; c < 4; ++c) {
      StoreU32(codes + c * 64 + row * 4, JoinNibbles(nibbles + s / 2 * 32 + c * 4, s % 2 * 4));
    }
    if (type != DType::kQ5_K) continue;
    uint32_t bits = 0;
    for (int j = 0; j < 8; ++j) bits |= ((LoadU32(block + kQ5KHigh + j * 4) >> s) & 0x01010101U) << j;
    StoreU32(unit + layout.high + s * layout.block_bytes + row * 4, bits);
  }
}

void PlaceSuperBlockQ6K(const PanelLayout& layout, const uint8_t* block, int row, uint8_t* unit) {
  const float d = LoadHalf(block + kQ6KD);
  std::memcpy(unit + layout.scales + row * 4, &d, 4);
  for (int s = 0; s < 8; ++s) {
    uint8_t* scales = unit + layout.sub_scales + s * 32;
    scales[2 * row] = block[kQ6KScales + 2 * s];
    scales[2 * row + 1] = block[kQ6KScales + 2 * s + 1];
    const uint8_t* low = block + s / 4 * 64 + s % 2 * 32;
    const int low_shift = s % 4 / 2 * 4;
    uint8_t* codes = unit + layout.codes + s * layout.block_bytes;
    for (int c = 0; c < 4; ++c) StoreU32(codes + c * 64 + row * 4, JoinNibbles(low + c * 4, low_shift));
    const uint8_t* pairs = block + kQ6KHigh + s / 4 * 32;
    for (int h = 0; h < 2; ++h) {
      uint32_t bits = 0;
      for (int i = 0; i < 4; ++i) bits |= ((LoadU32(pairs + h * 16 + i * 4) >> (s % 4 * 2)) & 0x03030303U) << (2 * i);
      StoreU32(unit + layout.high + s * layout.block_bytes + h * 64 + row * 4, bits);
    }
  }
}

// Rows [0, rows) of a panel, `source` being the first; rows up to 16 are zero.
void PackQuantised(DType type, const uint8_t* source, size_t row_bytes, size_t rows, size_t cols, uint8_t* panel) {
  const PanelLayout layout = LayoutOf(type);
  const DTypeTraits& traits = Traits(type);
  std::memset(panel, 0, PanelBytes(type, cols));
  for (size_t column = 0; column < cols; column += traits.block_elements) {
    const size_t block = column / traits.block_elements;
    for (size_t r = 0; r < rows; ++r) {
      const uint8_t* stored = source + r * row_bytes + block * traits.block_bytes;
      const int row = static_cast<int>(r);
      if (traits.block_elements == 32) {
        PlaceBlock32(type, layout, stored, row, block % layout.blocks, panel + block / layout.blocks * layout.bytes);
      } else if (type == DType::kQ6_K) {
        PlaceSuperBlockQ6K(layout, stored, row, panel + block * layout.bytes);
      } else {
        PlaceSuperBlockQ45K(type, layout, stored, row, panel + block * layout.bytes);
      }
    }
  }
}

template <typename T>
void PackPlain(const uint8_t* source, size_t rows, size_t cols, uint8_t* panel) {
  constexpr size_t kStretch = 64;  // columns at a time, so that what is written stays in the cache
  if (rows < 16) std::memset(panel, 0, cols * 16 * sizeof(T));
  for (size_t first = 0; first < cols; first += kStretch) {
    const size_t last = std::min(first + kStretch, cols);
    for (size_t r = 0; r < rows; ++r) {
      for (size_t c = first; c < last; ++c) {
        std::memcpy(panel + (c * 16 + r) * sizeof(T), source + (r * cols + c) * sizeof(T), sizeof(T));
      }
    }
  }
}

}  // namespace

uint64_t PackedMatrix::PackedBytes(DType type, uint64_t rows, uint64_t cols) {
  return (rows + kPanelRows - 1) / kPanelRows * PanelBytes(type, cols);
}

absl::StatusOr<PackedMatrix> PackedMatrix::Pack(DType type, size_t rows, size_t cols, std::span<const uint8_t> source,
                                                ThreadPool* pool) {
  const DTypeTraits& traits = Traits(type);
  if (rows == 0 || cols == 0 || cols % traits.block_elements != 0) {
    return absl::InvalidArgumentError(absl::StrCat("cannot pack a ", rows, " x ", cols, " matrix of type ", traits.name,
                                                   ": columns must be a positive multiple of ", traits.block_elements));
  }
  const size_t row_bytes = RowBytes(type, cols);
  if (source.size() != rows * row_bytes) {
    return absl::InvalidArgumentError(absl::StrCat("cannot pack a ", rows, " x ", cols, " matrix of type ", traits.name,
                                                   ": it takes ", rows * row_bytes, " bytes, given ", source.size()));
  }
  PackedMatrix packed;
  packed.type_ = type;
  packed.rows_ = rows;
  packed.cols_ = cols;
  packed.panel_bytes_ = PanelBytes(type, cols);
  packed.data_ = AlignedBuffer<uint8_t>(PackedBytes(type, rows, cols));
  const auto pack = [&](size_t begin, size_t end, int) {
    for (size_t p = begin; p < end; ++p) {
      const uint8_t* from = source.data() + p * kPanelRows * row_bytes;
      uint8_t* to = packed.data_.data() + p * packed.panel_bytes_;
      const size_t count = std::min(kPanelRows, rows - p * kPanelRows);
      if (IsQuantised(type)) {
        PackQuantised(type, from, row_bytes, count, cols, to);
      } else if (type == DType::kF32) {
        PackPlain<uint32_t>(from, count, cols, to);
      } else {
        PackPlain<uint16_t>(from, count, cols, to);
      }
    }
  };
  if (pool != nullptr) {
    pool->ParallelFor(packed.panels(), 4, pack);
  } else {
    pack(0, packed.panels(), 0);
  }
  return packed;
}

}  // namespace enigma::engine
