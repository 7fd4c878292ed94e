#include "engine/checkpoint/safetensors_header.h"

#include <array>
#include <optional>
#include <utility>

#include <absl/container/flat_hash_set.h>
#include <absl/status/status.h>
#include <absl/strings/str_cat.h>
#include <nlohmann/json.hpp>

#include "base/status_macros.h"
#include "engine/spec/gguf_cursor.h"

namespace enigma::engine {
namespace {

constexpr char kMetadataName[] = "__metadata__";
constexpr size_t kDimensionsMax = 8;

constexpr std::array<SafetensorsType, 6> kTypes = {SafetensorsType::kF32, SafetensorsType::kF16, SafetensorsType::kBF16,
                                                   SafetensorsType::kI32, SafetensorsType::kI64, SafetensorsType::kU8};

std::optional<SafetensorsType> TypeFromName(std::string_view name) {
  for (const SafetensorsType type : kTypes) {
    if (name == NameOf(type)) return type;
  }
  return std::nullopt;
}

// Takes the parser's events (nlohmann's SAX interface), so that no tree is built from what a stranger wrote and a name
// that occurs twice is seen. Every event returns false to stop, with the reason in error().
class HeaderEvents {
 public:
  using number_integer_t = nlohmann::json::number_integer_t;
  using number_unsigned_t = nlohmann::json::number_unsigned_t;
  using number_float_t = nlohmann::json::number_float_t;
  using string_t = nlohmann::json::string_t;
  using binary_t = nlohmann::json::binary_t;

  SafetensorsHeader Take() { return std::move(header_); }
  const std::string& error() const { return error_; }

  bool null() { return Unexpected("null"); }
  bool boolean(bool) { return Unexpected("a bool"); }
  bool number_integer(number_integer_t) { return Unexpected("a negative number"); }
  bool number_float(number_float_t, const string_t&) { return Unexpected("a number that is no whole one in 64 bits"); }
  bool binary(binary_t&) { return Unexpected("binary data"); }

  bool number_unsigned(number_unsigned_t value) {
    if (at_ == At::kShape) {
      if (tensor_.shape.size() == kDimensionsMax) return Stop("its shape has more than 8 dimensions");
      tensor_.shape.push_back(value);
      return true;
    }
    if (at_ == At::kOffsets) {
      if (offsets_ == 2) return Stop("it has more than two data_offsets");
      (offsets_++ == 0 ? tensor_.offset : end_) = value;
      return true;
    }
    return Unexpected("a number");
  }

  bool string(string_t& value) {
    if (at_ == At::kMetadata) {
      header_.metadata[std::move(name_)] = std::move(value);
      return true;
    }
    if (at_ != At::kTensor || field_ != "dtype") return Unexpected("a string");
    const auto type = TypeFromName(value);
    if (!type) {
      return Stop(absl::StrCat("type ", QuotedName(value), " is not supported; F32, F16, BF16, I32, I64 and U8 are"));
    }
    tensor_.type = *type;
    return true;
  }

  bool start_object(size_t) {
    if (at_ == At::kStart) return Go(At::kTop);
    if (at_ != At::kTop) return Unexpected("an object");
    if (name_ == kMetadataName) return Go(At::kMetadata);
    tensor_ = {};
    tensor_.name = name_;
    fields_.clear();
    offsets_ = 0;
    return Go(At::kTensor);
  }

  bool key(string_t& value) {
    if (at_ == At::kTensor) {
      if (value != "dtype" && value != "shape" && value != "data_offsets") {
        return Stop(absl::StrCat("field ", QuotedName(value), " is unknown"));
      }
      field_ = value;
      return fields_.insert(field_).second || Stop(absl::StrCat("field '", field_, "' occurs twice"));
    }
    auto& seen = at_ == At::kMetadata ? metadata_keys_ : names_;
    name_ = std::move(value);
    return seen.insert(name_).second || Stop("the name occurs twice");
  }

  bool start_array(size_t) {
    if (at_ == At::kTensor && field_ == "shape") return Go(At::kShape);
    if (at_ == At::kTensor && field_ == "data_offsets") return Go(At::kOffsets);
    return Unexpected("a list");
  }
  bool end_array() { return Go(At::kTensor); }

  bool end_object() {
    if (at_ == At::kTop) return Go(At::kEnd);
    if (at_ == At::kTensor && !AddTensor()) return false;
    return Go(At::kTop);
  }

  bool parse_error(size_t position, const std::string&, const nlohmann::json::exception&) {
    error_ = absl::StrCat("is no JSON in UTF-8 from byte ", position, " on");
    return false;
  }

 private:
  enum class At { kStart, kTop, kMetadata, kTensor, kShape, kOffsets, kEnd };

  bool Go(At at) {
    at_ = at;
    return true;
  }
  bool Stop(const std::string& why) {
    error_ = absl::StrCat(at_ == At::kMetadata ? "metadata " : "tensor ", QuotedName(name_), ": ", why);
    return false;
  }
  bool Unexpected(const char* what) {
    if (at_ == At::kStart) {
      error_ = absl::StrCat("must be an object, not ", what);
      return false;
    }
    return Stop(absl::StrCat(what, " where none may stand"));
  }

  bool AddTensor() {
    if (fields_.size() != 3) return Stop("dtype, shape and data_offsets are needed");
    if (offsets_ != 2) return Stop("it needs two data_offsets");
    const auto bytes = SafetensorsBytes(tensor_.name, tensor_.type, tensor_.shape);
    if (!bytes.ok()) {
      error_ = std::string(bytes.status().message());
      return false;
    }
    if (end_ < tensor_.offset || end_ - tensor_.offset != *bytes) {
      return Stop(
          absl::StrCat("its shape takes ", *bytes, " bytes, its data_offsets are ", tensor_.offset, " and ", end_));
    }
    tensor_.bytes = *bytes;
    header_.tensors.push_back(std::move(tensor_));
    return true;
  }

  SafetensorsHeader header_;
  absl::flat_hash_set<std::string> names_;
  absl::flat_hash_set<std::string> metadata_keys_;
  absl::flat_hash_set<std::string> fields_;  // of the tensor being read
  At at_ = At::kStart;
  std::string name_;
  std::string field_;
  SafetensorsTensor tensor_;
  uint64_t end_ = 0;
  int offsets_ = 0;
  std::string error_;
};

}  // namespace

absl::StatusOr<SafetensorsHeader> ParseSafetensorsHeader(std::string_view json) {
  HeaderEvents events;
  if (!nlohmann::json::sax_parse(json.begin(), json.end(), &events)) {
    return absl::InvalidArgumentError(absl::StrCat("the header: ", events.error()));
  }
  return events.Take();
}

}  // namespace enigma::engine
