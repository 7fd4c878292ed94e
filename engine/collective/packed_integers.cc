#include "engine/collective/packed_integers.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstring>
#include <utility>

#include <absl/strings/str_cat.h>

namespace enigma::engine {
namespace {

static_assert(std::endian::native == std::endian::little, "values are copied as they lie in memory");

constexpr size_t kBlock = 256;
constexpr int kWidthMax = 16;  // half bytes of a value
constexpr size_t kWord = sizeof(uint64_t);

// Values are written and read as whole words at the byte where they begin; a word's surplus is overwritten by the next
// value, or shifted out. So up to this many bytes behind a block are touched.
constexpr size_t kSurplus = kWord;

constexpr size_t BytesOf(size_t values, int width) { return (values * static_cast<size_t>(width) + 1) / 2; }

uint64_t LoadWord(const uint8_t* at) {
  uint64_t word = 0;
  std::memcpy(&word, at, kWord);
  return word;
}

void StoreWord(uint8_t* at, uint64_t word) { std::memcpy(at, &word, kWord); }

// Half bytes that each of `values` fits in. Folding the sign into the lowest bit leaves the bits that are needed.
int WidthOf(std::span<const int64_t> values) {
  uint64_t bits = 0;
  for (const int64_t value : values) bits |= (static_cast<uint64_t>(value) << 1) ^ static_cast<uint64_t>(value >> 63);
  return (static_cast<int>(std::bit_width(bits)) + 3) / 4;
}

template <int kWidth>
void PackBlock(const int64_t* values, size_t count, uint8_t* out) {
  constexpr size_t kWhole = kWidth / 2;  // bytes that are one value's alone
  if constexpr (kWidth == 0) {
    return;
  } else if constexpr (kWidth % 2 == 0) {
    for (size_t i = 0; i < count; ++i) StoreWord(out + i * kWhole, static_cast<uint64_t>(values[i]));
  } else {
    for (size_t i = 0; i + 1 < count; i += 2, out += kWidth) {
      const auto first = static_cast<uint64_t>(values[i]);
      const auto second = static_cast<uint64_t>(values[i + 1]);
      StoreWord(out, first);
      StoreWord(out + kWhole, ((first >> (8 * kWhole)) & 0xF) | (second << 4));
    }
    if (count % 2 != 0) {
      StoreWord(out, static_cast<uint64_t>(values[count - 1]));
      out[kWhole] &= 0xF;
    }
  }
}

template <bool kAdd>
void Put(int64_t& at, uint64_t shifted, int down) {
  const int64_t value = static_cast<int64_t>(shifted) >> down;
  at = kAdd ? static_cast<int64_t>(static_cast<uint64_t>(at) + static_cast<uint64_t>(value)) : value;
}

template <bool kAdd, int kWidth>
void UnpackBlock(const uint8_t* in, size_t count, int64_t* out) {
  constexpr size_t kWhole = kWidth / 2;
  constexpr int kUp = 64 - 4 * kWidth;  // brings the sign to the top
  if constexpr (kWidth == 0) {
    if (!kAdd) std::fill_n(out, count, 0);
  } else if constexpr (kWidth % 2 == 0) {
    for (size_t i = 0; i < count; ++i) Put<kAdd>(out[i], LoadWord(in + i * kWhole) << kUp, kUp);
  } else {
    for (size_t i = 0; i + 1 < count; i += 2, in += kWidth) {
      Put<kAdd>(out[i], LoadWord(in) << kUp, kUp);
      Put<kAdd>(out[i + 1], LoadWord(in + kWhole) << (kUp - 4), kUp);
    }
    if (count % 2 != 0) Put<kAdd>(out[count - 1], LoadWord(in) << kUp, kUp);
  }
}

using PackFunction = void (*)(const int64_t*, size_t, uint8_t*);
using UnpackFunction = void (*)(const uint8_t*, size_t, int64_t*);

template <size_t... kWidths>
constexpr std::array<PackFunction, sizeof...(kWidths)> PackTable(std::index_sequence<kWidths...>) {
  return {PackBlock<static_cast<int>(kWidths)>...};
}
template <bool kAdd, size_t... kWidths>
constexpr std::array<UnpackFunction, sizeof...(kWidths)> UnpackTable(std::index_sequence<kWidths...>) {
  return {UnpackBlock<kAdd, static_cast<int>(kWidths)>...};
}

constexpr auto kPack = PackTable(std::make_index_sequence<kWidthMax + 1>());
template <bool kAdd>
constexpr auto kUnpack = UnpackTable<kAdd>(std::make_index_sequence<kWidthMax + 1>());

template <bool kAdd>
absl::Status Unpack(std::span<const uint8_t> packed, std::span<int64_t> out) {
  const size_t values = out.size();
  while (!out.empty()) {
    const size_t count = std::min(kBlock, out.size());
    if (packed.empty() || packed[0] > kWidthMax) {
      return absl::DataLossError(packed.empty()
                                     ? absl::StrCat("packed integers end after ", values - out.size(), " of ", values)
                                     : absl::StrCat("a packed integer of ", packed[0], " half bytes"));
    }
    const int width = packed[0];
    const size_t bytes = BytesOf(count, width);
    packed = packed.subspan(1);
    if (packed.size() < bytes) {
      return absl::DataLossError(
          absl::StrCat("packed integers: a block of ", bytes, " bytes, and ", packed.size(), " are left"));
    }
    if (packed.size() >= bytes + kSurplus) {
      kUnpack<kAdd>[width](packed.data(), count, out.data());
    } else {
      std::array<uint8_t, kBlock * kWord + kSurplus> copy;
      if (bytes > 0) std::memcpy(copy.data(), packed.data(), bytes);
      std::memset(copy.data() + bytes, 0, kSurplus);
      kUnpack<kAdd>[width](copy.data(), count, out.data());
    }
    packed = packed.subspan(bytes);
    out = out.subspan(count);
  }
  if (packed.empty()) return absl::OkStatus();
  return absl::DataLossError(absl::StrCat("packed integers: ", packed.size(), " bytes too many"));
}

}  // namespace

void PackIntegers(std::span<const int64_t> values, std::vector<uint8_t>& out) {
  std::vector<uint8_t> widths;
  widths.reserve(values.size() / kBlock + 1);
  const size_t begin = out.size();
  size_t bytes = 0;
  for (size_t i = 0; i < values.size(); i += kBlock) {
    const std::span<const int64_t> block = values.subspan(i, std::min(kBlock, values.size() - i));
    widths.push_back(static_cast<uint8_t>(WidthOf(block)));
    bytes += 1 + BytesOf(block.size(), widths.back());
  }
  out.resize(begin + bytes + kSurplus);
  uint8_t* at = out.data() + begin;
  for (size_t b = 0; b < widths.size(); ++b) {
    const size_t count = std::min(kBlock, values.size() - b * kBlock);
    *at++ = widths[b];
    kPack[widths[b]](values.data() + b * kBlock, count, at);
    at += BytesOf(count, widths[b]);
  }
  out.resize(begin + bytes);
}

absl::Status UnpackIntegers(std::span<const uint8_t> packed, std::span<int64_t> out) {
  return Unpack<false>(packed, out);
}

absl::Status UnpackAndAddIntegers(std::span<const uint8_t> packed, std::span<int64_t> sums) {
  return Unpack<true>(packed, sums);
}

}  // namespace enigma::engine
