#include <algorithm>
#include <string>

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "base/text.h"
#include "engine/text/jinja/characters.h"
#include "engine/text/jinja/methods.h"
#include "engine/text/jinja/operators.h"
#include "engine/text/jinja/value_compare.h"
#include "engine/text/jinja/value_text.h"

namespace enigma::engine::jinja {

namespace {

Value Missing(const Value& value, std::string_view name) {
  return Value::Undefined(absl::StrCat("'", value.TypeName(), " object' has no attribute '", ToAbsl(name), "'"));
}

// The place a Python index names, or size where it names none.
size_t IndexOf(int64_t index, size_t size) {
  if (index < 0) index += static_cast<int64_t>(size);
  return index < 0 || static_cast<size_t>(index) >= size ? size : static_cast<size_t>(index);
}

absl::StatusOr<Value> CharacterAt(Runtime& runtime, const Value& string, int64_t index) {
  const std::string_view text = string.text();
  if (string.IsAscii()) {
    const size_t at = IndexOf(index, text.size());
    return at == text.size() ? Missing(string, absl::StrCat(index)) : runtime.String(text.substr(at, 1));
  }
  ENIGMA_RETURN_IF_ERROR(runtime.WorkOnBytes(text.size() * 8));
  const std::vector<size_t> offsets = CharacterOffsets(text);
  const size_t at = IndexOf(index, offsets.size() - 1);
  if (at == offsets.size() - 1) return Missing(string, absl::StrCat(index));
  return runtime.String(text.substr(offsets[at], offsets[at + 1] - offsets[at]));
}

struct SliceRange {
  int64_t start, stop, step;
  size_t count;
};

// As Python resolves a slice on a sequence of `size`.
absl::StatusOr<SliceRange> Resolve(const Value& start, const Value& stop, const Value& step, size_t size) {
  for (const Value* part : {&start, &stop, &step}) {
    if (!part->IsNone() && !part->IsInteger()) {
      return absl::InvalidArgumentError(absl::StrCat("slice indices must be integers, not '", part->TypeName(), "'"));
    }
  }
  const int64_t length = static_cast<int64_t>(size);
  SliceRange range{0, 0, step.IsNone() ? 1 : step.AsInteger(), 0};
  if (range.step == 0) return absl::InvalidArgumentError("the step of a slice cannot be zero");
  const bool forward = range.step > 0;
  const auto clamp = [&](const Value& part, int64_t otherwise) {
    if (part.IsNone()) return otherwise;
    int64_t index = part.AsInteger();
    if (index < 0) index = std::max<int64_t>(index + length, forward ? 0 : -1);
    return std::min(index, forward ? length : length - 1);
  };
  range.start = clamp(start, forward ? 0 : length - 1);
  range.stop = clamp(stop, forward ? length : -1);
  // A step beyond the sequence takes its first item only; kept small, it cannot overflow.
  range.step = std::clamp<int64_t>(range.step, -length - 1, length + 1);
  const int64_t distance = forward ? range.stop - range.start : range.start - range.stop;
  const int64_t stride = forward ? range.step : -range.step;
  if (distance > 0) range.count = static_cast<size_t>((distance + stride - 1) / stride);
  return range;
}

}  // namespace

absl::StatusOr<Value> GetAttribute(Runtime& runtime, const Value& value, std::string_view name) {
  switch (value.kind()) {
    case Value::Kind::kUndefined:
      return UndefinedError(value);
    case Value::Kind::kObject: {
      const std::optional<Value> attribute = value.object()->Attribute(runtime, name);
      return attribute.has_value() ? *attribute : Missing(value, name);
    }
    case Value::Kind::kString:
    case Value::Kind::kList:
    case Value::Kind::kDict:
      if (IsForbiddenMethod(value, name)) {
        return Value::Undefined(absl::StrCat("'", ToAbsl(name), "' of a '", value.TypeName(),
                                             "' is not allowed: values cannot be changed"));
      }
      if (HasMethod(value, name)) return BindMethod(runtime, value, name);
      if (value.IsDict()) {
        if (const Value* found = value.dict().Find(name)) return *found;
      }
      return Missing(value, name);
    default:
      return Missing(value, name);
  }
}

absl::StatusOr<Value> GetItem(Runtime& runtime, const Value& value, const Value& key) {
  if (value.IsUndefined()) return UndefinedError(value);
  if (value.IsDict() && !key.IsList() && !key.IsDict()) {
    ENIGMA_ASSIGN_OR_RETURN(const std::string hash, HashKey(runtime, key));
    if (const Value* found = value.dict().FindHashed(hash)) return *found;
  }
  if (key.IsInteger() && value.IsList()) {
    const size_t at = IndexOf(key.AsInteger(), value.items().size());
    if (at < value.items().size()) return value.items()[at];
  }
  if (key.IsInteger() && value.IsString()) return CharacterAt(runtime, value, key.AsInteger());
  if (key.IsString()) return GetAttribute(runtime, value, key.text());
  ENIGMA_ASSIGN_OR_RETURN(const std::string shown, Text(runtime, key));
  return Missing(value, shown);
}

absl::StatusOr<Value> Slice(Runtime& runtime, const Value& value, const Value& start, const Value& stop,
                            const Value& step) {
  if (value.IsUndefined()) return UndefinedError(value);
  if (value.IsList()) {
    ENIGMA_ASSIGN_OR_RETURN(const SliceRange range, Resolve(start, stop, step, value.items().size()));
    ENIGMA_RETURN_IF_ERROR(runtime.Work(range.count / 4));
    std::vector<Value> items;
    items.reserve(range.count);
    int64_t at = range.start;
    for (size_t i = 0; i < range.count; ++i, at += range.step) items.push_back(value.items()[static_cast<size_t>(at)]);
    return value.IsTuple() ? runtime.Tuple(std::move(items)) : runtime.List(std::move(items));
  }
  if (!value.IsString()) {
    return absl::InvalidArgumentError(absl::StrCat("a '", value.TypeName(), "' object cannot be sliced"));
  }
  const std::string_view text = value.text();
  ENIGMA_RETURN_IF_ERROR(runtime.WorkOnBytes(text.size() * (value.IsAscii() ? 1 : 8)));
  std::vector<size_t> offsets;
  if (!value.IsAscii()) offsets = CharacterOffsets(text);
  const size_t size = value.IsAscii() ? text.size() : offsets.size() - 1;
  const auto offset = [&](int64_t i) {
    return value.IsAscii() ? static_cast<size_t>(i) : offsets[static_cast<size_t>(i)];
  };
  ENIGMA_ASSIGN_OR_RETURN(const SliceRange range, Resolve(start, stop, step, size));
  if (range.count == 0) return runtime.String("");
  if (range.step == 1) {
    return runtime.String(text.substr(offset(range.start), offset(range.stop) - offset(range.start)));
  }
  std::string out;
  int64_t at = range.start;
  for (size_t i = 0; i < range.count; ++i, at += range.step)
    out += text.substr(offset(at), offset(at + 1) - offset(at));
  return runtime.String(std::move(out));
}

absl::StatusOr<std::vector<Value>> Items(Runtime& runtime, const Value& value) {
  std::vector<Value> items;
  switch (value.kind()) {
    case Value::Kind::kUndefined:
      return items;
    case Value::Kind::kList:
      ENIGMA_RETURN_IF_ERROR(runtime.Work(value.items().size() / 4));
      return value.items();
    case Value::Kind::kDict:
      ENIGMA_RETURN_IF_ERROR(runtime.Work(value.dict().entries.size() / 4));
      for (const auto& entry : value.dict().entries) items.push_back(entry.key);
      return items;
    case Value::Kind::kString: {
      ENIGMA_RETURN_IF_ERROR(runtime.Work(value.text().size()));
      for (std::string_view rest = value.text(); !rest.empty();) {
        const Character character = FirstCharacter(rest);
        items.push_back(runtime.String(rest.substr(0, character.length)));
        rest.remove_prefix(character.length);
        ENIGMA_RETURN_IF_ERROR(runtime.CheckItems(items.size()));
      }
      return items;
    }
    default:
      return absl::InvalidArgumentError(absl::StrCat("'", value.TypeName(), "' object is not iterable"));
  }
}

absl::StatusOr<std::optional<size_t>> Length(Runtime& runtime, const Value& value) {
  switch (value.kind()) {
    case Value::Kind::kUndefined:
      return std::optional<size_t>(0);
    case Value::Kind::kList:
      return std::optional<size_t>(value.items().size());
    case Value::Kind::kDict:
      return std::optional<size_t>(value.dict().entries.size());
    case Value::Kind::kString:
      if (value.IsAscii()) return std::optional<size_t>(value.text().size());
      ENIGMA_RETURN_IF_ERROR(runtime.WorkOnBytes(value.text().size()));
      return std::optional<size_t>(CountCharacters(value.text()));
    default:
      return std::optional<size_t>();
  }
}

}  // namespace enigma::engine::jinja
