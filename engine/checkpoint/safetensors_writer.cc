#include "engine/checkpoint/safetensors_writer.h"

#include <cstring>
#include <string_view>
#include <utility>

#include <absl/container/flat_hash_set.h>
#include <absl/strings/str_cat.h>
#include <nlohmann/json.hpp>

#include "base/status_macros.h"
#include "engine/checkpoint/safetensors_header.h"
#include "engine/spec/gguf_cursor.h"

namespace enigma::engine {
namespace {

using OrderedJson = nlohmann::ordered_json;

constexpr uint64_t kDataAlignment = 64;

// As JSON spells it; an error where it is no UTF-8.
absl::StatusOr<std::string> Quoted(const std::string& text, std::string_view what) {
  std::string quoted = OrderedJson(text).dump(-1, ' ', false, OrderedJson::error_handler_t::replace);
  if (OrderedJson::parse(quoted) != text) {
    return absl::InvalidArgumentError(
        absl::StrCat(std::string(what), " ", QuotedName(text), ": the text is not UTF-8"));
  }
  return quoted;
}

struct Head {
  std::string bytes;
  uint64_t data_bytes = 0;
};

absl::StatusOr<Head> EncodeHead(const std::vector<SafetensorsPlan>& tensors, const SafetensorsMetadata& metadata) {
  std::string json = "{";
  if (!metadata.empty()) {
    json += "\"__metadata__\":{";
    for (const auto& [key, value] : metadata) {
      ENIGMA_ASSIGN_OR_RETURN(const std::string key_json, Quoted(key, "metadata"));
      ENIGMA_ASSIGN_OR_RETURN(const std::string value_json, Quoted(value, "metadata"));
      absl::StrAppend(&json, json.back() == '{' ? "" : ",", key_json, ":", value_json);
    }
    json += "}";
  }
  absl::flat_hash_set<std::string> names = {"__metadata__"};
  Head head;
  for (const SafetensorsPlan& tensor : tensors) {
    if (!names.insert(tensor.name).second) {
      return absl::InvalidArgumentError(absl::StrCat("tensor ", QuotedName(tensor.name), ": the name occurs twice"));
    }
    ENIGMA_ASSIGN_OR_RETURN(const std::string name_json, Quoted(tensor.name, "tensor"));
    ENIGMA_ASSIGN_OR_RETURN(const uint64_t bytes, SafetensorsBytes(tensor.name, tensor.type, tensor.shape));
    const uint64_t begin = head.data_bytes;
    if (__builtin_add_overflow(begin, bytes, &head.data_bytes) || head.data_bytes > (uint64_t{1} << 60)) {
      return absl::InvalidArgumentError("the tensors together are larger than any file can be");
    }
    const OrderedJson entry = {
        {"dtype", NameOf(tensor.type)}, {"shape", tensor.shape}, {"data_offsets", {begin, head.data_bytes}}};
    absl::StrAppend(&json, json.size() == 1 ? "" : ",", name_json, ":", entry.dump());
  }
  json += "}";
  const uint64_t past = (kSafetensorsLengthBytes + json.size()) % kDataAlignment;
  if (past != 0) json.append(kDataAlignment - past, ' ');
  if (json.size() > kSafetensorsHeaderBytesMax) {
    return absl::InvalidArgumentError(absl::StrCat("the header would have ", json.size(), " bytes; at most ",
                                                   kSafetensorsHeaderBytesMax, " are allowed"));
  }
  const uint64_t length = json.size();
  head.bytes.resize(kSafetensorsLengthBytes);
  std::memcpy(head.bytes.data(), &length, sizeof length);
  head.bytes += json;
  return head;
}

}  // namespace

absl::StatusOr<SafetensorsWriter> SafetensorsWriter::Create(const std::vector<SafetensorsPlan>& tensors,
                                                            const SafetensorsMetadata& metadata, ByteSink sink) {
  ENIGMA_ASSIGN_OR_RETURN(const Head head, EncodeHead(tensors, metadata));
  SafetensorsWriter writer(std::move(sink), head.bytes.size() + head.data_bytes);
  writer.written_ = head.bytes.size();
  ENIGMA_RETURN_IF_ERROR(writer.sink_({reinterpret_cast<const uint8_t*>(head.bytes.data()), head.bytes.size()}));
  return writer;
}

absl::Status SafetensorsWriter::Write(std::span<const uint8_t> bytes) {
  if (bytes.size() > total_bytes_ - written_) {
    return absl::InvalidArgumentError(absl::StrCat("safetensors: the tensors take ", total_bytes_ - written_,
                                                   " bytes more, ", bytes.size(), " were given"));
  }
  if (bytes.empty()) return absl::OkStatus();
  ENIGMA_RETURN_IF_ERROR(sink_(bytes));
  written_ += bytes.size();
  return absl::OkStatus();
}

absl::Status SafetensorsWriter::Finish() const {
  if (written_ == total_bytes_) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("safetensors: ", total_bytes_ - written_, " bytes of the tensors' data are missing"));
}

}  // namespace enigma::engine
