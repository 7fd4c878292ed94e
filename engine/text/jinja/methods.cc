#include "engine/text/jinja/methods.h"

#include <algorithm>
#include <string>

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "base/text.h"
#include "engine/text/jinja/operators.h"
#include "engine/text/jinja/parameters.h"
#include "engine/text/jinja/value_compare.h"

namespace enigma::engine::jinja {

namespace {

Method Find(const Value& value, std::string_view name) {
  if (value.IsString()) return FindStringMethod(name);
  if (value.IsList()) return FindListMethod(name);
  return value.IsDict() ? FindDictMethod(name) : nullptr;
}

class BoundMethod : public Object {
 public:
  BoundMethod(Value value, std::string_view name) : value_(std::move(value)), name_(name) {}
  std::string TypeName() const override { return absl::StrCat("built-in method ", name_); }
  bool Callable() const override { return true; }
  absl::StatusOr<Value> Call(Runtime& runtime, Arguments arguments) override {
    return CallMethod(runtime, value_, name_, std::move(arguments));
  }

 private:
  Value value_;
  std::string name_;
};

absl::StatusOr<Value> Index(Runtime& runtime, const Value& list, Arguments arguments) {
  ENIGMA_ASSIGN_OR_RETURN(const Parameters given, Parameters::Bind("index", std::move(arguments), {"value"}, 1));
  for (size_t i = 0; i < list.items().size(); ++i) {
    ENIGMA_ASSIGN_OR_RETURN(const bool equal, Equal(runtime, list.items()[i], given.At(0)));
    if (equal) return Value::Int(static_cast<int64_t>(i));
  }
  return absl::InvalidArgumentError("index: the value is not in the list");
}

absl::StatusOr<Value> Count(Runtime& runtime, const Value& list, Arguments arguments) {
  ENIGMA_ASSIGN_OR_RETURN(const Parameters given, Parameters::Bind("count", std::move(arguments), {"value"}, 1));
  int64_t count = 0;
  for (const Value& item : list.items()) {
    ENIGMA_ASSIGN_OR_RETURN(const bool equal, Equal(runtime, item, given.At(0)));
    count += equal ? 1 : 0;
  }
  return Value::Int(count);
}

// Values never change, so a copy is the value.
absl::StatusOr<Value> Copy(Runtime&, const Value& value, Arguments arguments) {
  ENIGMA_ASSIGN_OR_RETURN(const Parameters given, Parameters::Bind("copy", std::move(arguments), {}));
  return value;
}

absl::StatusOr<Value> DictKeys(Runtime& runtime, const Value& dict, Arguments arguments) {
  ENIGMA_ASSIGN_OR_RETURN(const Parameters given, Parameters::Bind("keys", std::move(arguments), {}));
  ENIGMA_ASSIGN_OR_RETURN(std::vector<Value> keys, Items(runtime, dict));
  return runtime.List(std::move(keys));
}

absl::StatusOr<Value> DictValues(Runtime& runtime, const Value& dict, Arguments arguments) {
  ENIGMA_ASSIGN_OR_RETURN(const Parameters given, Parameters::Bind("values", std::move(arguments), {}));
  ENIGMA_RETURN_IF_ERROR(runtime.Work(dict.dict().entries.size()));
  std::vector<Value> values;
  for (const auto& entry : dict.dict().entries) values.push_back(entry.value);
  return runtime.List(std::move(values));
}

absl::StatusOr<Value> DictItems(Runtime& runtime, const Value& dict, Arguments arguments) {
  ENIGMA_ASSIGN_OR_RETURN(const Parameters given, Parameters::Bind("items", std::move(arguments), {}));
  ENIGMA_RETURN_IF_ERROR(runtime.Work(dict.dict().entries.size()));
  std::vector<Value> pairs;
  for (const auto& entry : dict.dict().entries) pairs.push_back(runtime.Tuple({entry.key, entry.value}));
  return runtime.List(std::move(pairs));
}

absl::StatusOr<Value> DictGet(Runtime& runtime, const Value& dict, Arguments arguments) {
  ENIGMA_ASSIGN_OR_RETURN(const Parameters given, Parameters::Bind("get", std::move(arguments), {"key", "default"}, 1));
  ENIGMA_ASSIGN_OR_RETURN(const std::string key, HashKey(runtime, given.At(0)));
  if (const Value* found = dict.dict().FindHashed(key)) return *found;
  return given.Has(1) ? given.At(1) : Value::None();
}

}  // namespace

Method FindListMethod(std::string_view name) {
  if (name == "index") return Index;
  if (name == "count") return Count;
  return name == "copy" ? Copy : nullptr;
}

Method FindDictMethod(std::string_view name) {
  if (name == "get") return DictGet;
  if (name == "items") return DictItems;
  if (name == "keys") return DictKeys;
  if (name == "values") return DictValues;
  return name == "copy" ? Copy : nullptr;
}

bool HasMethod(const Value& value, std::string_view name) { return Find(value, name) != nullptr; }

bool IsForbiddenMethod(const Value& value, std::string_view name) {
  const auto one_of = [&](std::initializer_list<std::string_view> names) {
    return std::find(names.begin(), names.end(), name) != names.end();
  };
  if (value.IsList() && !value.IsTuple()) {
    return one_of({"append", "clear", "extend", "insert", "pop", "remove", "reverse", "sort"});
  }
  return value.IsDict() && one_of({"clear", "pop", "popitem", "setdefault", "update"});
}

absl::StatusOr<Value> CallMethod(Runtime& runtime, const Value& value, std::string_view name, Arguments arguments) {
  return Find(value, name)(runtime, value, std::move(arguments));
}

Value BindMethod(Runtime& runtime, const Value& value, std::string_view name) {
  return Value::FromObject(runtime.Own<BoundMethod>(value, name));
}

}  // namespace enigma::engine::jinja
