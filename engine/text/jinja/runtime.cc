#include "engine/text/jinja/runtime.h"

#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "base/text.h"
#include "engine/text/jinja/value_compare.h"

namespace enigma::engine::jinja {

Runtime::~Runtime() {
  // Newest first: a macro's scope may be reached from the scopes of later macros, and is then freed one level at a
  // time.
  while (!objects_.empty()) objects_.pop_back();
}

absl::Status Runtime::Work(size_t steps) {
  if (steps > static_cast<size_t>(limits_.steps_max - steps_)) {
    steps_ = limits_.steps_max;
    return absl::ResourceExhaustedError(
        absl::StrCat("the template takes more than ", limits_.steps_max, " steps to render"));
  }
  steps_ += static_cast<int64_t>(steps);
  if (memory_.live_bytes > limits_.memory_bytes_max) {
    return absl::ResourceExhaustedError(
        absl::StrCat("the template holds more than ", limits_.memory_bytes_max, " bytes of values"));
  }
  if (too_deep_) {
    return absl::ResourceExhaustedError(
        absl::StrCat("more than ", kValueDepthMax, " lists and dicts lie inside each other"));
  }
  return absl::OkStatus();
}

absl::Status Runtime::CheckString(size_t bytes) const {
  if (bytes <= limits_.string_bytes_max) return absl::OkStatus();
  return absl::ResourceExhaustedError(
      absl::StrCat("a string would have more than ", limits_.string_bytes_max, " bytes"));
}

absl::Status Runtime::CheckItems(size_t items) const {
  if (items <= limits_.list_items_max) return absl::OkStatus();
  return absl::ResourceExhaustedError(
      absl::StrCat("a list or dict would have more than ", limits_.list_items_max, " items"));
}

Value Runtime::Keep(Value container) {
  too_deep_ = too_deep_ || container.depth() > kValueDepthMax;
  return container;
}

Value Runtime::String(std::string text) {
  return Value::FromString(std::make_shared<const StringData>(std::move(text), &memory_));
}

Value Runtime::List(std::vector<Value> items) {
  return Keep(Value::FromList(std::make_shared<const ListData>(std::move(items), false, &memory_)));
}

Value Runtime::Tuple(std::vector<Value> items) {
  return Keep(Value::FromList(std::make_shared<const ListData>(std::move(items), true, &memory_)));
}

absl::StatusOr<Value> Runtime::Dict(std::vector<DictData::Entry> entries) {
  ENIGMA_RETURN_IF_ERROR(CheckItems(entries.size()));
  absl::flat_hash_map<std::string, size_t> index;
  std::vector<DictData::Entry> kept;
  kept.reserve(entries.size());
  for (DictData::Entry& entry : entries) {
    ENIGMA_ASSIGN_OR_RETURN(std::string key, HashKey(*this, entry.key));
    const auto [it, inserted] = index.try_emplace(std::move(key), kept.size());
    if (inserted) {
      kept.push_back(std::move(entry));
    } else {
      kept[it->second].value = std::move(entry.value);
    }
  }
  return Keep(Value::FromDict(std::make_shared<const DictData>(std::move(kept), std::move(index), &memory_)));
}

absl::Status Runtime::At(Position at, absl::Status error) {
  if (located_) return error;
  located_ = true;
  return absl::Status(error.code(),
                      absl::StrCat("chat template, line ", at.line, ", column ", at.column, ": ", error.message()));
}

absl::Status Runtime::Raised(std::string_view message) {
  located_ = true;
  return absl::InvalidArgumentError(ToAbsl(message));
}

}  // namespace enigma::engine::jinja
