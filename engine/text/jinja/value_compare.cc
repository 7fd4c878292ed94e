#include "engine/text/jinja/value_compare.h"

#include <cmath>

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "base/text.h"

namespace enigma::engine::jinja {

namespace {

absl::StatusOr<bool> EqualItems(Runtime& runtime, const std::vector<Value>& a, const std::vector<Value>& b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i) {
    ENIGMA_ASSIGN_OR_RETURN(const bool equal, Equal(runtime, a[i], b[i]));
    if (!equal) return false;
  }
  return true;
}

absl::StatusOr<bool> EqualDicts(Runtime& runtime, const DictData& a, const DictData& b) {
  if (a.entries.size() != b.entries.size()) return false;
  for (const auto& [key, at] : a.index) {
    const Value* other = b.FindHashed(key);
    if (other == nullptr) return false;
    ENIGMA_ASSIGN_OR_RETURN(const bool equal, Equal(runtime, a.entries[at].value, *other));
    if (!equal) return false;
  }
  return true;
}

template <typename T>
int Sign(const T& a, const T& b) {
  return a < b ? -1 : (b < a ? 1 : 0);
}

}  // namespace

absl::StatusOr<bool> Equal(Runtime& runtime, const Value& a, const Value& b) {
  ENIGMA_RETURN_IF_ERROR(runtime.Work(1));
  if (runtime.dialect() == Dialect::kJavaScript && a.IsBool() != b.IsBool()) return false;
  if (a.IsInteger() && b.IsInteger()) return a.AsInteger() == b.AsInteger();
  if (a.IsNumber() && b.IsNumber()) return a.AsNumber() == b.AsNumber();
  if (a.kind() != b.kind()) return false;
  switch (a.kind()) {
    case Value::Kind::kString:
      ENIGMA_RETURN_IF_ERROR(runtime.WorkOnBytes(a.text().size()));
      return a.text() == b.text();
    case Value::Kind::kList:
      if (a.IsTuple() != b.IsTuple()) return false;
      return EqualItems(runtime, a.items(), b.items());
    case Value::Kind::kDict:
      return EqualDicts(runtime, a.dict(), b.dict());
    case Value::Kind::kObject:
      return a.object() == b.object();
    default:
      return true;  // none and none, undefined and undefined
  }
}

absl::StatusOr<int> Compare(Runtime& runtime, const Value& a, const Value& b) {
  ENIGMA_RETURN_IF_ERROR(runtime.Work(1));
  if (a.IsInteger() && b.IsInteger()) return Sign(a.AsInteger(), b.AsInteger());
  if (a.IsNumber() && b.IsNumber()) return Sign(a.AsNumber(), b.AsNumber());
  if (a.IsString() && b.IsString()) {
    ENIGMA_RETURN_IF_ERROR(runtime.WorkOnBytes(a.text().size()));
    return a.text().compare(b.text());  // the order of UTF-8 bytes is that of code points
  }
  if (a.IsList() && b.IsList() && a.IsTuple() == b.IsTuple()) {
    for (size_t i = 0; i < a.items().size() && i < b.items().size(); ++i) {
      ENIGMA_ASSIGN_OR_RETURN(const bool equal, Equal(runtime, a.items()[i], b.items()[i]));
      if (!equal) return Compare(runtime, a.items()[i], b.items()[i]);
    }
    return Sign(a.items().size(), b.items().size());
  }
  for (const Value* side : {&a, &b}) {
    if (side->IsUndefined()) return absl::InvalidArgumentError(ToAbsl(side->reason()));
  }
  return absl::InvalidArgumentError(
      absl::StrCat("'<' is not supported between '", a.TypeName(), "' and '", b.TypeName(), "'"));
}

absl::StatusOr<bool> Contains(Runtime& runtime, const Value& container, const Value& item) {
  switch (container.kind()) {
    case Value::Kind::kUndefined:
      return false;
    case Value::Kind::kString:
      if (!item.IsString()) {
        return absl::InvalidArgumentError(
            absl::StrCat("'in <string>' requires a string on its left, not '", item.TypeName(), "'"));
      }
      // Twice the text at most: libstdc++ searches the first byte, then compares.
      ENIGMA_RETURN_IF_ERROR(runtime.WorkOnBytes(container.text().size()));
      return container.text().find(item.text()) != std::string::npos;
    case Value::Kind::kList:
      for (const Value& candidate : container.items()) {
        ENIGMA_ASSIGN_OR_RETURN(const bool equal, Equal(runtime, candidate, item));
        if (equal) return true;
      }
      return false;
    case Value::Kind::kDict: {
      ENIGMA_ASSIGN_OR_RETURN(const std::string key, HashKey(runtime, item));
      return container.dict().FindHashed(key) != nullptr;
    }
    default:
      return absl::InvalidArgumentError(
          absl::StrCat("'in' needs a string, list or dict on its right, not '", container.TypeName(), "'"));
  }
}

absl::StatusOr<std::string> HashKey(Runtime& runtime, const Value& key) {
  ENIGMA_RETURN_IF_ERROR(runtime.Work(1));
  switch (key.kind()) {
    case Value::Kind::kUndefined:
      return std::string("u");
    case Value::Kind::kNone:
      return std::string("n");
    case Value::Kind::kBool:
    case Value::Kind::kInt:
      return absl::StrCat("i", key.AsInteger());
    case Value::Kind::kFloat: {
      const double value = key.AsNumber();
      if (std::trunc(value) == value && std::fabs(value) < 9e18) {
        return absl::StrCat("i", static_cast<int64_t>(value));
      }
      return absl::StrCat("f", absl::Hex(std::hash<double>()(value)));
    }
    case Value::Kind::kString:
      ENIGMA_RETURN_IF_ERROR(runtime.WorkOnBytes(key.text().size()));
      return "s" + key.text();
    case Value::Kind::kList:
      if (key.IsTuple()) {
        std::string joined = "t";
        for (const Value& item : key.items()) {
          ENIGMA_ASSIGN_OR_RETURN(const std::string part, HashKey(runtime, item));
          ENIGMA_RETURN_IF_ERROR(runtime.CheckString(joined.size() + part.size()));
          absl::StrAppend(&joined, part.size(), ":", part);
        }
        return joined;
      }
      break;
    case Value::Kind::kObject:
      return absl::StrCat("o", absl::Hex(reinterpret_cast<uintptr_t>(key.object())));
    case Value::Kind::kDict:
      break;
  }
  return absl::InvalidArgumentError(absl::StrCat("a '", key.TypeName(), "' cannot be a key (unhashable type)"));
}

}  // namespace enigma::engine::jinja
