#include <charconv>
#include <cmath>
#include <string>
#include <utility>

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "base/text.h"
#include "engine/text/jinja/characters.h"
#include "engine/text/jinja/filters.h"
#include "engine/text/jinja/operators.h"
#include "engine/text/jinja/parameters.h"

namespace enigma::engine::jinja {

namespace {

absl::StatusOr<Value> Abs(Runtime&, const Value& value, Arguments arguments) {
  ENIGMA_ASSIGN_OR_RETURN(const Parameters given, Parameters::Bind("abs", std::move(arguments), {}));
  if (value.IsUndefined()) return UndefinedError(value);
  if (!value.IsNumber())
    return absl::InvalidArgumentError(absl::StrCat("abs needs a number, not '", value.TypeName(), "'"));
  return value.AsNumber() < 0 ? Negate(value) : Plus(value);
}

// Doubles outside of this have no int64.
bool FitsInteger(double value) { return value > -9.2e18 && value < 9.2e18; }

absl::StatusOr<Value> Int(Runtime&, const Value& value, Arguments arguments) {
  ENIGMA_ASSIGN_OR_RETURN(const Parameters given, Parameters::Bind("int", std::move(arguments), {"default", "base"}));
  ENIGMA_ASSIGN_OR_RETURN(const int64_t base, given.Integer(1, 10));
  const Value otherwise = given.Has(0) ? given.At(0) : Value::Int(0);
  if (value.IsUndefined()) return UndefinedError(value);
  if (value.IsInteger()) return Value::Int(value.AsInteger());
  if (value.IsFloat()) {
    return FitsInteger(value.AsNumber()) ? Value::Int(static_cast<int64_t>(value.AsNumber())) : otherwise;
  }
  if (!value.IsString() || base < 2 || base > 36) return otherwise;
  std::string_view text = Strip(value.text(), Side::kBoth);
  if (!text.empty() && text[0] == '+') text.remove_prefix(1);
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, static_cast<int>(base));
  if (error == std::errc() && end == text.data() + text.size()) return Value::Int(number);
  double fraction = 0;
  const auto [float_end, float_error] = std::from_chars(text.data(), text.data() + text.size(), fraction);
  if (float_error != std::errc() || float_end != text.data() + text.size() || !FitsInteger(fraction)) return otherwise;
  return Value::Int(static_cast<int64_t>(fraction));
}

absl::StatusOr<Value> Float(Runtime&, const Value& value, Arguments arguments) {
  ENIGMA_ASSIGN_OR_RETURN(const Parameters given, Parameters::Bind("float", std::move(arguments), {"default"}));
  const Value otherwise = given.Has(0) ? given.At(0) : Value::Float(0);
  if (value.IsUndefined()) return UndefinedError(value);
  if (value.IsNumber()) return Value::Float(value.AsNumber());
  if (!value.IsString()) return otherwise;
  std::string_view text = Strip(value.text(), Side::kBoth);
  if (!text.empty() && text[0] == '+') text.remove_prefix(1);
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() ? Value::Float(number) : otherwise;
}

absl::StatusOr<Value> Round(Runtime&, const Value& value, Arguments arguments) {
  ENIGMA_ASSIGN_OR_RETURN(const Parameters given,
                          Parameters::Bind("round", std::move(arguments), {"precision", "method"}));
  ENIGMA_ASSIGN_OR_RETURN(const int64_t precision, given.Integer(0, 0));
  ENIGMA_ASSIGN_OR_RETURN(const std::string method, given.Text(1, "common"));
  if (!value.IsNumber())
    return absl::InvalidArgumentError(absl::StrCat("round needs a number, not '", value.TypeName(), "'"));
  if (std::abs(precision) > 300) return absl::InvalidArgumentError("round: a precision beyond 300 is refused");
  const double number = value.AsNumber();
  const double scale = std::pow(10.0, static_cast<double>(precision));
  if (method == "ceil") return Value::Float(std::ceil(number * scale) / scale);
  if (method == "floor") return Value::Float(std::floor(number * scale) / scale);
  if (method != "common") return absl::InvalidArgumentError("round: the method must be common, ceil or floor");
  if (value.IsInteger() && precision >= 0) return Value::Int(value.AsInteger());
  if (precision < 0) return Value::Float(std::nearbyint(number * scale) / scale);
  // Rounding the decimal digits, ties to even by the exact value of the double, as Python does.
  char digits[700];
  const auto end =
      std::to_chars(digits, digits + sizeof(digits), number, std::chars_format::fixed, static_cast<int>(precision));
  double rounded = number;
  if (end.ec == std::errc()) std::from_chars(digits, end.ptr, rounded);
  return Value::Float(rounded);
}

constexpr std::pair<std::string_view, Filter> kNumberFilters[] = {
    {"abs", Abs}, {"float", Float}, {"int", Int}, {"round", Round}};

}  // namespace

Filter FindNumberFilter(std::string_view name) {
  for (const auto& [known, filter] : kNumberFilters) {
    if (known == name) return filter;
  }
  return nullptr;
}

}  // namespace enigma::engine::jinja
