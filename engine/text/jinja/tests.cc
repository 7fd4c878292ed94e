#include <string>
#include <utility>

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "base/text.h"
#include "engine/text/jinja/filters.h"
#include "engine/text/jinja/operators.h"
#include "engine/text/jinja/parameters.h"
#include "engine/text/jinja/text_operations.h"
#include "engine/text/jinja/value_text.h"

namespace enigma::engine::jinja {

namespace {

// A test without argument.
template <bool (*holds)(const Value&)>
absl::StatusOr<bool> Plain(Runtime&, const Value& value, Arguments arguments) {
  ENIGMA_ASSIGN_OR_RETURN(const Parameters given, Parameters::Bind("the test", std::move(arguments), {}));
  return holds(value);
}

bool IsDefined(const Value& value) { return !value.IsUndefined(); }
bool IsUndefined(const Value& value) { return value.IsUndefined(); }
bool IsNone(const Value& value) { return value.IsNone(); }
bool IsBoolean(const Value& value) { return value.IsBool(); }
bool IsTrue(const Value& value) { return value.IsBool() && value.AsBool(); }
bool IsFalse(const Value& value) { return value.IsBool() && !value.AsBool(); }
bool IsInteger(const Value& value) { return value.IsInt(); }
bool IsFloat(const Value& value) { return value.IsFloat(); }
bool IsNumber(const Value& value) { return value.IsNumber(); }
bool IsString(const Value& value) { return value.IsString(); }
bool IsMapping(const Value& value) { return value.IsDict(); }
bool IsIterable(const Value& value) {
  return value.IsUndefined() || value.IsString() || value.IsList() || value.IsDict();
}
bool IsCallable(const Value& value) { return value.IsObject() && value.object()->Callable(); }
bool IsEscaped(const Value&) { return false; }

template <std::string_view const& operation>
absl::StatusOr<bool> Related(Runtime& runtime, const Value& value, Arguments arguments) {
  ENIGMA_ASSIGN_OR_RETURN(const Parameters given, Parameters::Bind("the test", std::move(arguments), {"other"}, 1));
  return Relate(runtime, operation, value, given.At(0));
}

template <int64_t remainder>
absl::StatusOr<bool> Parity(Runtime& runtime, const Value& value, Arguments arguments) {
  ENIGMA_ASSIGN_OR_RETURN(const Parameters given, Parameters::Bind("the test", std::move(arguments), {}));
  ENIGMA_ASSIGN_OR_RETURN(const Value rest, Binary(runtime, "%", value, Value::Int(2)));
  return rest.IsNumber() && rest.AsNumber() == remainder;
}

absl::StatusOr<bool> DivisibleBy(Runtime& runtime, const Value& value, Arguments arguments) {
  ENIGMA_ASSIGN_OR_RETURN(const Parameters given, Parameters::Bind("divisibleby", std::move(arguments), {"num"}, 1));
  ENIGMA_ASSIGN_OR_RETURN(const Value rest, Binary(runtime, "%", value, given.At(0)));
  return rest.IsNumber() && rest.AsNumber() == 0;
}

template <bool upper>
absl::StatusOr<bool> Cased(Runtime& runtime, const Value& value, Arguments arguments) {
  ENIGMA_ASSIGN_OR_RETURN(const Parameters given, Parameters::Bind("the test", std::move(arguments), {}));
  ENIGMA_ASSIGN_OR_RETURN(const std::string text, Text(runtime, value));
  ENIGMA_RETURN_IF_ERROR(runtime.WorkOnBytes(text.size() * 4));
  return HasCase(text, upper);
}

absl::StatusOr<bool> SameAs(Runtime& runtime, const Value& value, Arguments arguments) {
  ENIGMA_ASSIGN_OR_RETURN(const Parameters given, Parameters::Bind("sameas", std::move(arguments), {"other"}, 1));
  if (value.kind() != given.At(0).kind()) return false;
  return Relate(runtime, "==", value, given.At(0));
}

template <bool filter>
absl::StatusOr<bool> Known(Runtime&, const Value& value, Arguments arguments) {
  ENIGMA_ASSIGN_OR_RETURN(const Parameters given, Parameters::Bind("the test", std::move(arguments), {}));
  return value.IsString() && (filter ? FindFilter(value.text()) != nullptr : FindTest(value.text()) != nullptr);
}

constexpr std::string_view kEqual = "==", kNotEqual = "!=", kLess = "<", kLessEqual = "<=", kGreater = ">",
                           kGreaterEqual = ">=", kIn = "in";

constexpr std::pair<std::string_view, Test> kTests[] = {
    {"!=", Related<kNotEqual>},
    {"<", Related<kLess>},
    {"<=", Related<kLessEqual>},
    {"==", Related<kEqual>},
    {">", Related<kGreater>},
    {">=", Related<kGreaterEqual>},
    {"boolean", Plain<IsBoolean>},
    {"callable", Plain<IsCallable>},
    {"defined", Plain<IsDefined>},
    {"divisibleby", DivisibleBy},
    {"eq", Related<kEqual>},
    {"equalto", Related<kEqual>},
    {"escaped", Plain<IsEscaped>},
    {"even", Parity<0>},
    {"false", Plain<IsFalse>},
    {"filter", Known<true>},
    {"float", Plain<IsFloat>},
    {"ge", Related<kGreaterEqual>},
    {"greaterthan", Related<kGreater>},
    {"gt", Related<kGreater>},
    {"in", Related<kIn>},
    {"integer", Plain<IsInteger>},
    {"iterable", Plain<IsIterable>},
    {"le", Related<kLessEqual>},
    {"lessthan", Related<kLess>},
    {"lower", Cased<false>},
    {"lt", Related<kLess>},
    {"mapping", Plain<IsMapping>},
    {"ne", Related<kNotEqual>},
    {"none", Plain<IsNone>},
    {"number", Plain<IsNumber>},
    {"odd", Parity<1>},
    {"sameas", SameAs},
    {"sequence", Plain<IsIterable>},
    {"string", Plain<IsString>},
    {"test", Known<false>},
    {"true", Plain<IsTrue>},
    {"undefined", Plain<IsUndefined>},
    {"upper", Cased<true>},
};

}  // namespace

Test FindTest(std::string_view name) {
  for (const auto& [known, test] : kTests) {
    if (known == name) return test;
  }
  return nullptr;
}

absl::StatusOr<bool> ApplyTest(Runtime& runtime, std::string_view name, const Value& value, Arguments arguments) {
  const Test test = FindTest(name);
  if (test == nullptr) return absl::InvalidArgumentError(absl::StrCat("there is no test named '", ToAbsl(name), "'"));
  return test(runtime, value, std::move(arguments));
}

}  // namespace enigma::engine::jinja
