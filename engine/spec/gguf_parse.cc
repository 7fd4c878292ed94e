// The head of a GGUF file: header, metadata, table of tensors.
// Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md

#include <algorithm>
#include <bit>
#include <utility>

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "base/text.h"
#include "engine/spec/gguf.h"
#include "engine/spec/gguf_cursor.h"

namespace enigma::engine {
namespace {

constexpr uint32_t kMagic = 0x46554747;  // "GGUF"
constexpr uint64_t kKeyBytesMax = 65535;
constexpr uint64_t kTensorNameBytesMax = 64;
constexpr uint32_t kDimensionsMax = 4;
constexpr uint64_t kDefaultAlignment = 32;
constexpr uint64_t kAlignmentMax = uint64_t{1} << 20;
// What one entry takes at the least: key length, one byte of key, type, one byte of value; and name length, one byte of
// name, count of dimensions, one dimension, type, offset.
constexpr uint64_t kPairBytesMin = 8 + 1 + 4 + 1;
constexpr uint64_t kTensorEntryBytesMin = 8 + 1 + 4 + 8 + 4 + 8;

// Types of ggml that this engine does not read, so that the error can name them.
const char* ForeignTypeName(uint32_t type) {
  static constexpr std::pair<uint32_t, const char*> kNames[] = {
      {9, "q8_1"},   {10, "q2_k"},   {11, "q3_k"},  {15, "q8_k"},  {16, "iq2_xxs"}, {17, "iq2_xs"}, {18, "iq3_xxs"},
      {19, "iq1_s"}, {20, "iq4_nl"}, {21, "iq3_s"}, {22, "iq2_s"}, {23, "iq4_xs"},  {24, "i8"},     {25, "i16"},
      {26, "i32"},   {27, "i64"},    {28, "f64"},   {29, "iq1_m"}, {34, "tq1_0"},   {35, "tq2_0"},  {39, "mxfp4"},
  };
  for (const auto& [number, name] : kNames) {
    if (number == type) return name;
  }
  return "unknown to this version";
}

struct Counts {
  uint64_t tensors;
  uint64_t pairs;
};

absl::StatusOr<Counts> ReadHeader(GgufCursor& cursor) {
  ENIGMA_ASSIGN_OR_RETURN(const uint32_t magic, cursor.Read<uint32_t>("the magic"));
  if (magic != kMagic) return cursor.ErrorAt(0, "this is not a GGUF file (the first four bytes are not 'GGUF')");
  ENIGMA_ASSIGN_OR_RETURN(const uint32_t version, cursor.Read<uint32_t>("the version"));
  if ((version & 0xFFFF) == 0 && version != 0) {
    return cursor.ErrorAt(4, "the file is big-endian, which is not supported; convert it to little-endian");
  }
  if (version != 2 && version != 3) {
    return cursor.ErrorAt(4, absl::StrCat("GGUF version ", version, " is not supported; versions 2 and 3 are"));
  }
  Counts counts{};
  ENIGMA_ASSIGN_OR_RETURN(counts.tensors, cursor.Read<uint64_t>("the count of tensors"));
  ENIGMA_ASSIGN_OR_RETURN(counts.pairs, cursor.Read<uint64_t>("the count of metadata pairs"));
  if (counts.tensors > cursor.remaining() / kTensorEntryBytesMin) {
    return cursor.ErrorAt(8, absl::StrCat("the header claims ", counts.tensors, " tensors, the file has only ",
                                          cursor.remaining(), " bytes left"));
  }
  if (counts.pairs > cursor.remaining() / kPairBytesMin) {
    return cursor.ErrorAt(16, absl::StrCat("the header claims ", counts.pairs, " metadata pairs, the file has only ",
                                           cursor.remaining(), " bytes left"));
  }
  return counts;
}

absl::Status ReadPair(GgufCursor& cursor, uint64_t number, GgufMetadata& metadata) {
  cursor.SetSubject(absl::StrCat("metadata pair ", number));
  const uint64_t start = cursor.offset();
  ENIGMA_ASSIGN_OR_RETURN(const std::string_view key, cursor.ReadString("the key", kKeyBytesMax));
  cursor.SetSubject(absl::StrCat("key ", QuotedName(key)));
  if (key.empty()) return cursor.ErrorAt(start, "the key is empty");
  if (metadata.Has(key)) return cursor.ErrorAt(start, "the key occurs twice");
  ENIGMA_ASSIGN_OR_RETURN(const uint32_t type, cursor.Read<uint32_t>("the value's type"));
  ENIGMA_ASSIGN_OR_RETURN(GgufValue value, cursor.ReadValue(type));
  metadata.Set(std::string(key), std::move(value));
  return absl::OkStatus();
}

// The entry as stored: `offset` still counts from the start of the tensor data. `bytes` is computed, and checked to be
// no more than `file_size`.
absl::StatusOr<TensorInfo> ReadTensor(GgufCursor& cursor, uint64_t number, uint64_t file_size) {
  cursor.SetSubject(absl::StrCat("tensor ", number));
  const uint64_t start = cursor.offset();
  ENIGMA_ASSIGN_OR_RETURN(const std::string_view name, cursor.ReadString("the name", kTensorNameBytesMax));
  cursor.SetSubject(absl::StrCat("tensor ", QuotedName(name)));
  if (name.empty()) return cursor.ErrorAt(start, "the name is empty");

  TensorInfo tensor;
  tensor.name = std::string(name);
  ENIGMA_ASSIGN_OR_RETURN(const uint32_t dimensions, cursor.Read<uint32_t>("the count of dimensions"));
  if (dimensions == 0 || dimensions > kDimensionsMax) {
    return cursor.ErrorAt(cursor.offset() - 4, absl::StrCat("the tensor claims ", dimensions, " dimensions; 1 to ",
                                                            kDimensionsMax, " are allowed"));
  }
  uint64_t elements = 1;
  for (uint32_t i = 0; i < dimensions; ++i) {
    const uint64_t at = cursor.offset();
    ENIGMA_ASSIGN_OR_RETURN(const uint64_t extent, cursor.Read<uint64_t>("a dimension"));
    if (extent == 0) return cursor.ErrorAt(at, absl::StrCat("dimension ", i, " is 0"));
    if (__builtin_mul_overflow(elements, extent, &elements)) {
      return cursor.ErrorAt(at, absl::StrCat("the count of elements overflows at dimension ", i, " = ", extent));
    }
    tensor.shape.push_back(extent);
  }

  const uint64_t type_at = cursor.offset();
  ENIGMA_ASSIGN_OR_RETURN(const uint32_t type, cursor.Read<uint32_t>("the type"));
  const DTypeTraits* traits = FindTraits(type);
  if (traits == nullptr) {
    return absl::UnimplementedError(
        cursor
            .ErrorAt(type_at, absl::StrCat("tensor type ", type, " (", ForeignTypeName(type),
                                           ") is not supported; f32, f16, bf16, q8_0, q4_0, q4_1, q5_0, q5_1, q4_k, "
                                           "q5_k and q6_k are"))
            .message());
  }
  tensor.type = static_cast<DType>(type);
  if (tensor.shape[0] % traits->block_elements != 0) {
    return cursor.ErrorAt(type_at, absl::StrCat("rows of ", tensor.shape[0], " elements are not whole blocks of ",
                                                traits->block_elements, " as ", traits->name, " needs"));
  }
  if (__builtin_mul_overflow(elements / traits->block_elements, uint64_t{traits->block_bytes}, &tensor.bytes) ||
      tensor.bytes > file_size) {
    return cursor.ErrorAt(start, absl::StrCat("its ", elements, " elements of type ", traits->name,
                                              " take more bytes than the whole file has (", file_size, ")"));
  }
  ENIGMA_ASSIGN_OR_RETURN(tensor.offset, cursor.Read<uint64_t>("the offset"));
  return tensor;
}

absl::StatusOr<uint64_t> ReadAlignment(GgufCursor& cursor, const GgufMetadata& metadata) {
  constexpr char kKey[] = "general.alignment";
  if (!metadata.Has(kKey)) return kDefaultAlignment;
  cursor.SetSubject("key 'general.alignment'");
  const auto alignment = metadata.Uint(kKey);
  if (!alignment.ok()) return cursor.Error(ToStd(alignment.status().message()));
  if (!std::has_single_bit(*alignment) || *alignment < 8 || *alignment > kAlignmentMax) {
    return cursor.Error(
        absl::StrCat("the alignment is ", *alignment, "; a power of two from 8 to ", kAlignmentMax, " is needed"));
  }
  return *alignment;
}

// Turns offsets from "within the data" to "within the file"; every tensor must lie within the file, aligned, apart.
absl::Status PlaceTensors(GgufCursor& cursor, uint64_t data_start, uint64_t alignment, uint64_t file_size,
                          std::vector<TensorInfo>& tensors) {
  const uint64_t data_bytes = file_size > data_start ? file_size - data_start : 0;
  for (TensorInfo& tensor : tensors) {
    cursor.SetSubject(absl::StrCat("tensor ", QuotedName(tensor.name)));
    if (tensor.offset % alignment != 0) {
      return cursor.Error(absl::StrCat("its data offset ", tensor.offset, " is not a multiple of ", alignment));
    }
    if (tensor.offset > data_bytes || tensor.bytes > data_bytes - tensor.offset) {
      return cursor.ErrorAt(data_start, absl::StrCat("its data, ", tensor.bytes, " bytes at offset ", tensor.offset,
                                                     " of the tensor data, reaches beyond the end of the file (",
                                                     file_size, " bytes); the file is cut short or lies"));
    }
    tensor.offset += data_start;
  }
  std::vector<const TensorInfo*> order;
  order.reserve(tensors.size());
  for (const TensorInfo& tensor : tensors) order.push_back(&tensor);
  std::sort(order.begin(), order.end(), [](const auto* a, const auto* b) { return a->offset < b->offset; });
  for (size_t i = 1; i < order.size(); ++i) {
    if (order[i - 1]->offset + order[i - 1]->bytes > order[i]->offset) {
      cursor.SetSubject(absl::StrCat("tensor ", QuotedName(order[i]->name)));
      return cursor.ErrorAt(order[i]->offset,
                            absl::StrCat("its data overlaps that of tensor ", QuotedName(order[i - 1]->name)));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status GgufFile::Parse(std::span<const uint8_t> bytes) {
  GgufCursor cursor(bytes, path_);
  ENIGMA_ASSIGN_OR_RETURN(const Counts counts, ReadHeader(cursor));
  for (uint64_t i = 0; i < counts.pairs; ++i) ENIGMA_RETURN_IF_ERROR(ReadPair(cursor, i, metadata_));
  ENIGMA_ASSIGN_OR_RETURN(const uint64_t alignment, ReadAlignment(cursor, metadata_));

  tensors_.reserve(counts.tensors);
  for (uint64_t i = 0; i < counts.tensors; ++i) {
    const uint64_t start = cursor.offset();
    ENIGMA_ASSIGN_OR_RETURN(TensorInfo tensor, ReadTensor(cursor, i, file_size_));
    if (!tensor_index_.emplace(tensor.name, i).second) return cursor.ErrorAt(start, "the name occurs twice");
    tensors_.push_back(std::move(tensor));
  }
  head_bytes_ = cursor.offset();
  const uint64_t data_start = (head_bytes_ + alignment - 1) / alignment * alignment;
  return PlaceTensors(cursor, data_start, alignment, file_size_, tensors_);
}

}  // namespace enigma::engine
