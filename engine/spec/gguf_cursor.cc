#include "engine/spec/gguf_cursor.h"

#include <utility>

#include <absl/status/status.h>
#include <absl/strings/escaping.h>
#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "base/text.h"

namespace enigma::engine {
namespace {

// Far above any vocabulary or list of merges; keeps a huge file from justifying a huge array in memory.
constexpr uint64_t kArrayElementsMax = uint64_t{1} << 24;

// Stored bytes of one element; for a string the least it can take. 0 for what is no element type.
uint64_t ElementBytes(uint32_t type) {
  switch (static_cast<GgufValueType>(type)) {
    case GgufValueType::kUint8:
    case GgufValueType::kInt8:
    case GgufValueType::kBool:
      return 1;
    case GgufValueType::kUint16:
    case GgufValueType::kInt16:
      return 2;
    case GgufValueType::kUint32:
    case GgufValueType::kInt32:
    case GgufValueType::kFloat32:
      return 4;
    case GgufValueType::kUint64:
    case GgufValueType::kInt64:
    case GgufValueType::kFloat64:
    case GgufValueType::kString:
      return 8;
    case GgufValueType::kArray:
      return 0;
  }
  return 0;
}

template <typename Stored, typename Kept>
absl::StatusOr<GgufValue> ReadAs(GgufCursor& cursor) {
  ENIGMA_ASSIGN_OR_RETURN(const Stored stored, cursor.Read<Stored>("its value"));
  return GgufValue(static_cast<Kept>(stored));
}

template <typename Stored, typename Kept>
absl::Status Append(GgufCursor& cursor, uint64_t count, std::vector<Kept>& out) {
  out.reserve(count);
  for (uint64_t i = 0; i < count; ++i) {
    ENIGMA_ASSIGN_OR_RETURN(const Stored stored, cursor.Read<Stored>("an array element"));
    out.push_back(static_cast<Kept>(stored));
  }
  return absl::OkStatus();
}

}  // namespace

std::string QuotedName(std::string_view name) {
  constexpr size_t kShown = 80;
  return absl::StrCat("'", absl::CHexEscape(ToAbsl(name.substr(0, kShown))), name.size() > kShown ? "..." : "", "'");
}

absl::Status GgufCursor::ErrorAt(uint64_t offset, std::string_view message) const {
  return absl::InvalidArgumentError(absl::StrCat(file_, ": ", subject_, " at byte ", offset, ": ", ToAbsl(message)));
}

absl::Status GgufCursor::Short(const char* what, uint64_t needed) const {
  return Error(absl::StrCat("the file ends early: ", what, " takes ", needed, " bytes, ", remaining(), " remain"));
}

absl::StatusOr<std::string_view> GgufCursor::ReadString(const char* what, uint64_t bytes_max) {
  const uint64_t start = offset_;
  ENIGMA_ASSIGN_OR_RETURN(const uint64_t length, Read<uint64_t>(what));
  if (length > remaining()) {
    return ErrorAt(start, absl::StrCat(what, " claims ", length, " bytes, the file has ", remaining(), " left"));
  }
  if (length > bytes_max) {
    return ErrorAt(start, absl::StrCat(what, " claims ", length, " bytes; at most ", bytes_max, " are allowed"));
  }
  const std::string_view view(reinterpret_cast<const char*>(bytes_.data() + offset_), length);
  offset_ += length;
  return view;
}

absl::StatusOr<GgufValue> GgufCursor::ReadValue(uint32_t type) {
  switch (static_cast<GgufValueType>(type)) {
    case GgufValueType::kUint8:
      return ReadAs<uint8_t, uint64_t>(*this);
    case GgufValueType::kInt8:
      return ReadAs<int8_t, int64_t>(*this);
    case GgufValueType::kUint16:
      return ReadAs<uint16_t, uint64_t>(*this);
    case GgufValueType::kInt16:
      return ReadAs<int16_t, int64_t>(*this);
    case GgufValueType::kUint32:
      return ReadAs<uint32_t, uint64_t>(*this);
    case GgufValueType::kInt32:
      return ReadAs<int32_t, int64_t>(*this);
    case GgufValueType::kFloat32:
      return ReadAs<float, double>(*this);
    case GgufValueType::kUint64:
      return ReadAs<uint64_t, uint64_t>(*this);
    case GgufValueType::kInt64:
      return ReadAs<int64_t, int64_t>(*this);
    case GgufValueType::kFloat64:
      return ReadAs<double, double>(*this);
    case GgufValueType::kBool: {
      ENIGMA_ASSIGN_OR_RETURN(const uint8_t stored, Read<uint8_t>("its value"));
      if (stored > 1) return ErrorAt(offset_ - 1, absl::StrCat("a bool is 0 or 1, not ", stored));
      return GgufValue(stored == 1);
    }
    case GgufValueType::kString: {
      ENIGMA_ASSIGN_OR_RETURN(const std::string_view text, ReadString("the string", UINT64_MAX));
      return GgufValue(std::string(text));
    }
    case GgufValueType::kArray: {
      ENIGMA_ASSIGN_OR_RETURN(auto array, ReadArray());
      return GgufValue(std::move(array));
    }
  }
  return ErrorAt(offset_ - 4, absl::StrCat("value type ", type, " does not exist (0 to 12 do)"));
}

absl::StatusOr<std::unique_ptr<GgufArray>> GgufCursor::ReadArray() {
  ENIGMA_ASSIGN_OR_RETURN(const uint32_t type, Read<uint32_t>("the array's element type"));
  if (type == static_cast<uint32_t>(GgufValueType::kArray)) {
    return ErrorAt(offset_ - 4, "arrays of arrays are not supported");
  }
  const uint64_t element_bytes = ElementBytes(type);
  if (element_bytes == 0) {
    return ErrorAt(offset_ - 4, absl::StrCat("array element type ", type, " does not exist (0 to 12 do)"));
  }
  ENIGMA_ASSIGN_OR_RETURN(const uint64_t count, Read<uint64_t>("the array's length"));
  if (count > remaining() / element_bytes) {
    return ErrorAt(offset_ - 8, absl::StrCat("the array claims ", count, " elements of at least ", element_bytes,
                                             " bytes, the file has ", remaining(), " bytes left"));
  }
  if (count > kArrayElementsMax) {
    return ErrorAt(offset_ - 8,
                   absl::StrCat("the array claims ", count, " elements; at most ", kArrayElementsMax, " are allowed"));
  }
  auto array = std::make_unique<GgufArray>();
  absl::Status read;
  switch (static_cast<GgufValueType>(type)) {
    case GgufValueType::kUint8:
      read = Append<uint8_t>(*this, count, array->integers);
      break;
    case GgufValueType::kInt8:
      read = Append<int8_t>(*this, count, array->integers);
      break;
    case GgufValueType::kBool:
      read = Append<uint8_t>(*this, count, array->integers);
      break;
    case GgufValueType::kUint16:
      read = Append<uint16_t>(*this, count, array->integers);
      break;
    case GgufValueType::kInt16:
      read = Append<int16_t>(*this, count, array->integers);
      break;
    case GgufValueType::kUint32:
      read = Append<uint32_t>(*this, count, array->integers);
      break;
    case GgufValueType::kInt32:
      read = Append<int32_t>(*this, count, array->integers);
      break;
    case GgufValueType::kUint64:
      read = Append<uint64_t>(*this, count, array->integers);
      break;
    case GgufValueType::kInt64:
      read = Append<int64_t>(*this, count, array->integers);
      break;
    case GgufValueType::kFloat32:
      read = Append<float>(*this, count, array->floats);
      break;
    case GgufValueType::kFloat64:
      read = Append<double>(*this, count, array->floats);
      break;
    case GgufValueType::kString:
    case GgufValueType::kArray:
      array->strings.reserve(count);
      for (uint64_t i = 0; i < count; ++i) {
        ENIGMA_ASSIGN_OR_RETURN(const std::string_view text, ReadString("a string of the array", UINT64_MAX));
        array->strings.emplace_back(text);
      }
      break;
  }
  ENIGMA_RETURN_IF_ERROR(read);
  return array;
}

}  // namespace enigma::engine
