#include <utility>

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>

#include "base/text.h"
#include "engine/spec/gguf.h"

namespace enigma::engine {
namespace {

const char* KindOf(const GgufValue& value) {
  static constexpr const char* kNames[] = {
      "an unsigned integer", "an integer", "a float", "a bool", "a string", "an array"};
  return kNames[value.index()];
}

absl::Status WrongKind(std::string_view key, const GgufValue& value, const char* wanted) {
  return absl::InvalidArgumentError(
      absl::StrCat("metadata key '", ToAbsl(key), "' is ", KindOf(value), " where ", wanted, " is needed"));
}

absl::Status Absent(std::string_view key) {
  return absl::NotFoundError(absl::StrCat("metadata key '", ToAbsl(key), "' is missing"));
}

// Values own their arrays, so copies are made by hand.
struct ValueCopier {
  GgufValue operator()(const std::unique_ptr<GgufArray>& array) const { return std::make_unique<GgufArray>(*array); }
  template <typename Plain>
  GgufValue operator()(const Plain& value) const {
    return value;
  }
};

}  // namespace

const GgufValue* GgufMetadata::Find(std::string_view key) const {
  const auto it = values_.find(ToAbsl(key));
  return it == values_.end() ? nullptr : &it->second;
}

bool GgufMetadata::Has(std::string_view key) const { return Find(key) != nullptr; }

void GgufMetadata::Set(std::string key, GgufValue value) {
  const auto [it, added] = values_.insert_or_assign(key, std::move(value));
  if (added) keys_.push_back(std::move(key));
}

absl::StatusOr<uint64_t> GgufMetadata::Uint(std::string_view key) const {
  const GgufValue* value = Find(key);
  if (value == nullptr) return Absent(key);
  if (const auto* u = std::get_if<uint64_t>(value)) return *u;
  if (const auto* i = std::get_if<int64_t>(value); i != nullptr && *i >= 0) return static_cast<uint64_t>(*i);
  return WrongKind(key, *value, "a non-negative integer");
}

absl::StatusOr<double> GgufMetadata::Float(std::string_view key) const {
  const GgufValue* value = Find(key);
  if (value == nullptr) return Absent(key);
  if (const auto* f = std::get_if<double>(value)) return *f;
  return WrongKind(key, *value, "a float");
}

absl::StatusOr<bool> GgufMetadata::Bool(std::string_view key) const {
  const GgufValue* value = Find(key);
  if (value == nullptr) return Absent(key);
  if (const auto* b = std::get_if<bool>(value)) return *b;
  return WrongKind(key, *value, "a bool");
}

absl::StatusOr<std::string_view> GgufMetadata::String(std::string_view key) const {
  const GgufValue* value = Find(key);
  if (value == nullptr) return Absent(key);
  if (const auto* s = std::get_if<std::string>(value)) return std::string_view(*s);
  return WrongKind(key, *value, "a string");
}

absl::StatusOr<const GgufArray*> GgufMetadata::Array(std::string_view key) const {
  const GgufValue* value = Find(key);
  if (value == nullptr) return Absent(key);
  if (const auto* a = std::get_if<std::unique_ptr<GgufArray>>(value)) return a->get();
  return WrongKind(key, *value, "an array");
}

uint64_t GgufMetadata::UintOr(std::string_view key, uint64_t fallback) const { return Uint(key).value_or(fallback); }

double GgufMetadata::FloatOr(std::string_view key, double fallback) const { return Float(key).value_or(fallback); }

bool GgufMetadata::BoolOr(std::string_view key, bool fallback) const { return Bool(key).value_or(fallback); }

std::string GgufMetadata::StringOr(std::string_view key, std::string_view fallback) const {
  return std::string(String(key).value_or(fallback));
}

void CopyKeys(const GgufMetadata& from, std::string_view prefix, GgufMetadata& to) {
  for (const std::string& key : from.keys()) {
    if (std::string_view(key).starts_with(prefix)) to.Set(key, std::visit(ValueCopier{}, *from.Find(key)));
  }
}

}  // namespace enigma::engine
