#include "engine/spec/gguf_encode.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <variant>

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "engine/spec/gguf_cursor.h"

namespace enigma::engine {
namespace {

template <typename T>
void Put(std::string& out, T value) {
  char bytes[sizeof value];
  std::memcpy(bytes, &value, sizeof value);
  out.append(bytes, sizeof value);
}

void PutType(std::string& out, GgufValueType type) { Put(out, static_cast<uint32_t>(type)); }

void PutText(std::string& out, const std::string& text) {
  Put<uint64_t>(out, text.size());
  out += text;
}

bool FitsInt32(int64_t value) {
  return value >= std::numeric_limits<int32_t>::min() && value <= std::numeric_limits<int32_t>::max();
}

// Appends values after the array's type and length.
template <typename Stored, typename Kept>
void PutElements(std::string& out, GgufValueType type, const std::vector<Kept>& values) {
  PutType(out, type);
  Put<uint64_t>(out, values.size());
  for (const Kept value : values) Put(out, static_cast<Stored>(value));
}

void PutArray(std::string& out, const GgufArray& array) {
  if (!array.integers.empty()) {
    if (std::all_of(array.integers.begin(), array.integers.end(), FitsInt32)) {
      return PutElements<int32_t>(out, GgufValueType::kInt32, array.integers);
    }
    return PutElements<int64_t>(out, GgufValueType::kInt64, array.integers);
  }
  if (!array.floats.empty()) return PutElements<float>(out, GgufValueType::kFloat32, array.floats);
  PutType(out, GgufValueType::kString);
  Put<uint64_t>(out, array.strings.size());
  for (const std::string& text : array.strings) PutText(out, text);
}

struct ValueEncoder {
  std::string& out;

  void operator()(uint64_t value) const {
    if (value <= UINT32_MAX) {
      PutType(out, GgufValueType::kUint32);
      Put(out, static_cast<uint32_t>(value));
    } else {
      PutType(out, GgufValueType::kUint64);
      Put(out, value);
    }
  }
  void operator()(int64_t value) const {
    if (FitsInt32(value)) {
      PutType(out, GgufValueType::kInt32);
      Put(out, static_cast<int32_t>(value));
    } else {
      PutType(out, GgufValueType::kInt64);
      Put(out, value);
    }
  }
  void operator()(double value) const {
    PutType(out, GgufValueType::kFloat32);
    Put(out, static_cast<float>(value));
  }
  void operator()(bool value) const {
    PutType(out, GgufValueType::kBool);
    Put<uint8_t>(out, value ? 1 : 0);
  }
  void operator()(const std::string& value) const {
    PutType(out, GgufValueType::kString);
    PutText(out, value);
  }
  void operator()(const std::unique_ptr<GgufArray>& value) const {
    PutType(out, GgufValueType::kArray);
    PutArray(out, *value);
  }
};

}  // namespace

absl::StatusOr<uint64_t> StoredBytes(const TensorPlan& tensor) {
  const DTypeTraits& traits = Traits(tensor.type);
  const auto wrong = [&](const char* why) {
    return absl::InvalidArgumentError(
        absl::StrCat("tensor ", QuotedName(tensor.name), " cannot be stored as ", traits.name, ": ", why));
  };
  if (tensor.shape.empty() || tensor.shape.size() > 4) return wrong("it needs 1 to 4 dimensions");
  uint64_t elements = 1;
  for (const uint64_t extent : tensor.shape) {
    if (extent == 0 || __builtin_mul_overflow(elements, extent, &elements)) return wrong("its size is 0 or overflows");
  }
  if (tensor.shape[0] % traits.block_elements != 0) return wrong("its rows are not whole blocks");
  uint64_t bytes = 0;
  if (__builtin_mul_overflow(elements / traits.block_elements, uint64_t{traits.block_bytes}, &bytes)) {
    return wrong("its size overflows");
  }
  return bytes;
}

absl::StatusOr<std::string> EncodeGgufHead(const GgufMetadata& metadata, const std::vector<TensorPlan>& tensors) {
  std::string out = "GGUF";
  Put<uint32_t>(out, 3);
  Put<uint64_t>(out, tensors.size());
  Put<uint64_t>(out, metadata.keys().size());
  for (const std::string& key : metadata.keys()) {
    PutText(out, key);
    std::visit(ValueEncoder{out}, *metadata.Find(key));
  }
  uint64_t offset = 0;
  for (const TensorPlan& tensor : tensors) {
    ENIGMA_ASSIGN_OR_RETURN(const uint64_t bytes, StoredBytes(tensor));
    PutText(out, tensor.name);
    Put(out, static_cast<uint32_t>(tensor.shape.size()));
    for (const uint64_t extent : tensor.shape) Put(out, extent);
    Put(out, static_cast<uint32_t>(tensor.type));
    Put(out, offset);
    if (__builtin_add_overflow(offset, GgufAligned(bytes), &offset) || offset > (uint64_t{1} << 60)) {
      return absl::InvalidArgumentError("the tensors together are larger than any file can be");
    }
  }
  out.resize(GgufAligned(out.size()));
  return out;
}

}  // namespace enigma::engine
