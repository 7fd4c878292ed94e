#include "engine/text/jinja/operators.h"

#include <cmath>

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "base/text.h"
#include "engine/text/jinja/format.h"
#include "engine/text/jinja/value_compare.h"
#include "engine/text/jinja/value_text.h"

namespace enigma::engine::jinja {

namespace {

absl::Status TooLarge() { return absl::InvalidArgumentError("the result does not fit 64 bits"); }
absl::Status DivisionByZero() { return absl::InvalidArgumentError("division by zero"); }

int64_t FloorDivide(int64_t a, int64_t b) { return a / b - ((a % b != 0 && (a < 0) != (b < 0)) ? 1 : 0); }

double FloatModulo(double a, double b) {
  const double remainder = std::fmod(a, b);
  return remainder != 0 && (remainder < 0) != (b < 0) ? remainder + b : remainder;
}

absl::StatusOr<Value> IntegerPower(int64_t base, int64_t exponent) {
  int64_t result = 1;
  while (exponent > 0) {
    if ((exponent & 1) != 0 && __builtin_mul_overflow(result, base, &result)) return TooLarge();
    exponent >>= 1;
    if (exponent > 0 && __builtin_mul_overflow(base, base, &base)) return TooLarge();
  }
  return Value::Int(result);
}

absl::StatusOr<Value> IntegerBinary(std::string_view operation, int64_t a, int64_t b) {
  int64_t result = 0;
  if (operation == "+")
    return __builtin_add_overflow(a, b, &result) ? absl::StatusOr<Value>(TooLarge()) : Value::Int(result);
  if (operation == "-")
    return __builtin_sub_overflow(a, b, &result) ? absl::StatusOr<Value>(TooLarge()) : Value::Int(result);
  if (operation == "*")
    return __builtin_mul_overflow(a, b, &result) ? absl::StatusOr<Value>(TooLarge()) : Value::Int(result);
  if (operation == "**" && b >= 0) return IntegerPower(a, b);
  if (b == 0 || (a == 0 && operation == "**")) return DivisionByZero();
  if (operation == "**") return Value::Float(std::pow(static_cast<double>(a), static_cast<double>(b)));
  if (operation == "/") return Value::Float(static_cast<double>(a) / static_cast<double>(b));
  // The one quotient that has no room.
  if (b == -1) return operation == "%" ? Value::Int(0) : IntegerBinary("-", 0, a);
  return Value::Int(operation == "//" ? FloorDivide(a, b) : a - FloorDivide(a, b) * b);
}

absl::StatusOr<Value> FloatBinary(std::string_view operation, double a, double b) {
  if (operation == "+") return Value::Float(a + b);
  if (operation == "-") return Value::Float(a - b);
  if (operation == "*") return Value::Float(a * b);
  if (operation == "**") {
    const double result = std::pow(a, b);
    if (std::isnan(result) || (std::isinf(result) && std::isfinite(a) && std::isfinite(b))) return TooLarge();
    return Value::Float(result);
  }
  if (b == 0) return DivisionByZero();
  if (operation == "/") return Value::Float(a / b);
  return Value::Float(operation == "//" ? std::floor(a / b) : FloatModulo(a, b));
}

absl::StatusOr<Value> Repeat(Runtime& runtime, const Value& value, int64_t times) {
  const size_t count = times < 0 ? 0 : static_cast<size_t>(times);
  const size_t size = value.IsString() ? value.text().size() : value.items().size();
  size_t total = 0;
  if (__builtin_mul_overflow(size, count, &total)) total = SIZE_MAX;
  if (value.IsString()) {
    ENIGMA_RETURN_IF_ERROR(runtime.CheckString(total));
    ENIGMA_RETURN_IF_ERROR(runtime.WorkOnBytes(total));
    std::string text;
    text.reserve(total);
    for (size_t i = 0; total > 0 && i < count; ++i) text += value.text();
    return runtime.String(std::move(text));
  }
  ENIGMA_RETURN_IF_ERROR(runtime.CheckItems(total));
  ENIGMA_RETURN_IF_ERROR(runtime.Work(total));
  std::vector<Value> items;
  items.reserve(total);
  for (size_t i = 0; total > 0 && i < count; ++i) items.insert(items.end(), value.items().begin(), value.items().end());
  return value.IsTuple() ? runtime.Tuple(std::move(items)) : runtime.List(std::move(items));
}

absl::StatusOr<Value> Joined(Runtime& runtime, const Value& left, const Value& right) {
  std::string text;
  ENIGMA_RETURN_IF_ERROR(AppendText(runtime, left, text));
  ENIGMA_RETURN_IF_ERROR(AppendText(runtime, right, text));
  return runtime.String(std::move(text));
}

}  // namespace

absl::Status UndefinedError(const Value& value) { return absl::InvalidArgumentError(ToAbsl(value.reason())); }

absl::StatusOr<Value> Binary(Runtime& runtime, std::string_view operation, const Value& left, const Value& right) {
  if (left.IsInteger() && right.IsInteger()) return IntegerBinary(operation, left.AsInteger(), right.AsInteger());
  if (left.IsNumber() && right.IsNumber()) return FloatBinary(operation, left.AsNumber(), right.AsNumber());
  if (operation == "%" && left.IsString()) return FormatPercent(runtime, left.text(), right);
  if (left.IsUndefined()) return UndefinedError(left);
  if (right.IsUndefined()) return UndefinedError(right);
  if (operation == "+") {
    if (left.IsString() && right.IsString()) return Joined(runtime, left, right);
    if (left.IsList() && right.IsList() && left.IsTuple() == right.IsTuple()) {
      ENIGMA_RETURN_IF_ERROR(runtime.CheckItems(left.items().size() + right.items().size()));
      ENIGMA_RETURN_IF_ERROR(runtime.Work(left.items().size() + right.items().size()));
      std::vector<Value> items = left.items();
      items.insert(items.end(), right.items().begin(), right.items().end());
      return left.IsTuple() ? runtime.Tuple(std::move(items)) : runtime.List(std::move(items));
    }
    if (runtime.dialect() == Dialect::kJavaScript && (left.IsString() || right.IsString())) {
      return Joined(runtime, left, right);
    }
  }
  if (operation == "*") {
    if ((left.IsString() || left.IsList()) && right.IsInteger()) return Repeat(runtime, left, right.AsInteger());
    if ((right.IsString() || right.IsList()) && left.IsInteger()) return Repeat(runtime, right, left.AsInteger());
  }
  if (operation == "+" && (left.IsString() || right.IsString())) {
    return absl::InvalidArgumentError(absl::StrCat("can only join a string to a string with +, not '",
                                                   left.IsString() ? right.TypeName() : left.TypeName(), "'"));
  }
  return absl::InvalidArgumentError(absl::StrCat("unsupported operand types for ", ToAbsl(operation), ": '",
                                                 left.TypeName(), "' and '", right.TypeName(), "'"));
}

absl::StatusOr<Value> Negate(const Value& value) {
  if (value.IsInteger()) return IntegerBinary("-", 0, value.AsInteger());
  if (value.IsFloat()) return Value::Float(-value.AsNumber());
  if (value.IsUndefined()) return UndefinedError(value);
  return absl::InvalidArgumentError(absl::StrCat("cannot negate a '", value.TypeName(), "'"));
}

absl::StatusOr<Value> Plus(const Value& value) {
  if (value.IsInteger()) return Value::Int(value.AsInteger());
  if (value.IsFloat()) return value;
  if (value.IsUndefined()) return UndefinedError(value);
  return absl::InvalidArgumentError(absl::StrCat("bad operand type for +: '", value.TypeName(), "'"));
}

absl::StatusOr<bool> Relate(Runtime& runtime, std::string_view operation, const Value& left, const Value& right) {
  if (operation == "in" || operation == "not in") {
    ENIGMA_ASSIGN_OR_RETURN(const bool inside, Contains(runtime, right, left));
    return inside == (operation == "in");
  }
  if (operation == "==" || operation == "!=") {
    ENIGMA_ASSIGN_OR_RETURN(const bool equal, Equal(runtime, left, right));
    return equal == (operation == "==");
  }
  // Every comparison with what is no number is false.
  if (left.IsNumber() && right.IsNumber() && (std::isnan(left.AsNumber()) || std::isnan(right.AsNumber())))
    return false;
  ENIGMA_ASSIGN_OR_RETURN(const int order, Compare(runtime, left, right));
  if (operation == "<") return order < 0;
  if (operation == "<=") return order <= 0;
  return operation == ">" ? order > 0 : order >= 0;
}

}  // namespace enigma::engine::jinja
