#include "engine/text/jinja/format.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_format.h>

#include "base/status_macros.h"
#include "base/text.h"
#include "engine/text/jinja/characters.h"
#include "engine/text/jinja/operators.h"
#include "engine/text/jinja/value_text.h"

namespace enigma::engine::jinja {

namespace {

// One placeholder, either notation.
struct Spec {
  std::string fill = " ";
  char align = '\0';  // < > ^ =
  char sign = '-';    // + space -
  bool alternate = false, grouped = false;
  size_t width = 0;
  int precision = -1;
  char type = '\0';
};

// No double needs more; bounds what a placeholder may print.
constexpr int kPrecisionMax = 340;

std::string Grouped(std::string digits) {
  const size_t end = std::min(digits.find('.'), digits.size());
  for (size_t i = end; i > 3; i -= 3) digits.insert(i - 3, ",");
  return digits;
}

// The digits of a number without its sign.
absl::StatusOr<std::string> Magnitude(const Value& value, const Spec& spec) {
  const int precision = spec.precision < 0 ? 6 : std::min(spec.precision, kPrecisionMax);
  const double number = std::abs(value.AsNumber());
  switch (spec.type) {
    case 'e':
      return absl::StrFormat("%.*e", precision, number);
    case 'E':
      return absl::StrFormat("%.*E", precision, number);
    case 'f':
    case 'F':
      return absl::StrFormat("%.*f", precision, number);
    case 'g':
      return absl::StrFormat("%.*g", precision, number);
    case 'G':
      return absl::StrFormat("%.*G", precision, number);
    case '%':
      return absl::StrCat(absl::StrFormat("%.*f", precision, number * 100), "%");
    default:
      break;
  }
  if (value.IsFloat() && spec.type == '\0') {
    return spec.precision < 0 ? FloatText(number) : absl::StrFormat("%.*g", precision, number);
  }
  if (value.IsFloat()) return absl::InvalidArgumentError("an integer format is given a float");
  const int64_t integer = value.AsInteger();
  const uint64_t magnitude =
      integer < 0 ? uint64_t{0} - static_cast<uint64_t>(integer) : static_cast<uint64_t>(integer);
  switch (spec.type) {
    case 'x':
      return absl::StrCat(spec.alternate ? "0x" : "", absl::Hex(magnitude));
    case 'X':
      return absl::StrFormat("%s%X", spec.alternate ? "0X" : "", magnitude);
    case 'o':
      return absl::StrFormat("%s%o", spec.alternate ? "0o" : "", magnitude);
    case '\0':
    case 'd':
      return absl::StrCat(magnitude);
    default:
      return absl::InvalidArgumentError(absl::StrCat("unknown format '", std::string(1, spec.type), "'"));
  }
}

absl::StatusOr<std::string> Rendered(Runtime& runtime, const Value& value, const Spec& spec) {
  ENIGMA_RETURN_IF_ERROR(runtime.CheckString(spec.width * spec.fill.size()));
  std::string sign, body;
  char align = spec.align;
  if (value.IsNumber() && !(value.IsBool() && spec.type == '\0') && spec.type != 's') {
    ENIGMA_ASSIGN_OR_RETURN(body, Magnitude(value, spec));
    if (spec.grouped) body = Grouped(std::move(body));
    sign = value.AsNumber() < 0 ? "-" : (spec.sign == '-' ? "" : std::string(1, spec.sign));
    if (align == '\0') align = '>';
  } else {
    if (spec.type != '\0' && spec.type != 's') {
      return absl::InvalidArgumentError(
          absl::StrCat("the format '", std::string(1, spec.type), "' needs a number, not '", value.TypeName(), "'"));
    }
    ENIGMA_ASSIGN_OR_RETURN(body, Text(runtime, value));
    if (spec.precision >= 0) {
      const std::vector<size_t> offsets = CharacterOffsets(body);
      body.resize(offsets[std::min(offsets.size() - 1, static_cast<size_t>(spec.precision))]);
    }
    if (align == '\0') align = '<';
  }
  const size_t length = sign.size() + CountCharacters(body);
  const size_t missing = spec.width > length ? spec.width - length : 0;
  const size_t before = align == '>' || align == '=' ? missing : (align == '^' ? missing / 2 : 0);
  std::string out = align == '=' ? sign : "";
  for (size_t i = 0; i < before; ++i) out += spec.fill;
  if (align != '=') out += sign;
  out += body;
  for (size_t i = before; i < missing; ++i) out += spec.fill;
  ENIGMA_RETURN_IF_ERROR(runtime.WorkOnBytes(out.size()));
  return out;
}

// Digits from the front of `text`, at most what the limits would allow anyway.
size_t TakeNumber(std::string_view& text) {
  size_t value = 0;
  while (!text.empty() && text[0] >= '0' && text[0] <= '9') {
    value = std::min<size_t>(value * 10 + static_cast<size_t>(text[0] - '0'), size_t{1} << 40);
    text.remove_prefix(1);
  }
  return value;
}

void TakePrecision(std::string_view& text, Spec& spec) {
  if (text.empty() || text[0] != '.') return;
  text.remove_prefix(1);
  spec.precision = static_cast<int>(std::min<size_t>(TakeNumber(text), 1 << 20));
}

bool IsAlign(char c) { return c == '<' || c == '>' || c == '^' || c == '='; }

absl::StatusOr<Spec> ParseSpec(std::string_view text) {
  Spec spec;
  if (!text.empty()) {
    const size_t length = FirstCharacter(text).length;
    if (text.size() > length && IsAlign(text[length])) {
      spec.fill = text.substr(0, length);
      spec.align = text[length];
      text.remove_prefix(length + 1);
    } else if (IsAlign(text[0])) {
      spec.align = text[0];
      text.remove_prefix(1);
    }
  }
  const auto take = [&](char c) {
    const bool found = !text.empty() && text[0] == c;
    if (found) text.remove_prefix(1);
    return found;
  };
  for (const char sign : {'+', ' ', '-'}) {
    if (take(sign)) spec.sign = sign;
  }
  spec.alternate = take('#');
  if (take('0') && spec.align == '\0') {
    spec.fill = "0";
    spec.align = '=';
  }
  spec.width = TakeNumber(text);
  spec.grouped = take(',');
  TakePrecision(text, spec);
  if (!text.empty()) {
    spec.type = text[0];
    text.remove_prefix(1);
  }
  if (!text.empty()) return absl::InvalidArgumentError("the format specification is not understood");
  return spec;
}

// What stands between { and : or !.
absl::StatusOr<Value> Field(Runtime& runtime, std::string_view name, const Arguments& arguments, size_t& next) {
  const size_t head_end = std::min(name.find_first_of(".["), name.size());
  const std::string_view head = name.substr(0, head_end);
  std::string_view path = name.substr(head_end);
  Value value;
  size_t position = 0;
  const auto [end, error] = std::from_chars(head.data(), head.data() + head.size(), position);
  if (head.empty() || (error == std::errc() && end == head.data() + head.size())) {
    if (head.empty()) position = next++;
    if (position >= arguments.positional.size()) {
      return absl::InvalidArgumentError(absl::StrCat("format has no argument ", position));
    }
    value = arguments.positional[position];
  } else {
    const auto it = std::find_if(arguments.named.begin(), arguments.named.end(),
                                 [&](const auto& argument) { return argument.first == head; });
    if (it == arguments.named.end()) {
      return absl::InvalidArgumentError(absl::StrCat("format has no argument '", ToAbsl(head), "'"));
    }
    value = it->second;
  }
  while (!path.empty()) {
    const bool attribute = path[0] == '.';
    const size_t stop = std::min(attribute ? path.find_first_of(".[", 1) : path.find(']'), path.size());
    const std::string_view key = path.substr(1, stop - 1);
    path.remove_prefix(std::min(stop + (attribute ? 0 : 1), path.size()));
    int64_t index = 0;
    const auto [key_end, key_error] = std::from_chars(key.data(), key.data() + key.size(), index);
    const bool number = !attribute && key_error == std::errc() && key_end == key.data() + key.size();
    ENIGMA_ASSIGN_OR_RETURN(value, attribute
                                       ? GetAttribute(runtime, value, key)
                                       : GetItem(runtime, value, number ? Value::Int(index) : runtime.String(key)));
  }
  return value;
}

}  // namespace

absl::StatusOr<Value> FormatBraces(Runtime& runtime, std::string_view text, const Arguments& arguments) {
  std::string out;
  size_t next = 0;
  while (!text.empty()) {
    const size_t brace = std::min(text.find_first_of("{}"), text.size());
    out += text.substr(0, brace);
    text.remove_prefix(brace);
    if (text.empty()) break;
    if (text.size() > 1 && text[1] == text[0]) {
      out += text[0];
      text.remove_prefix(2);
      continue;
    }
    const size_t close = text.find('}');
    if (text[0] == '}' || close == std::string_view::npos) {
      return absl::InvalidArgumentError("format has a single brace; write {{ or }} for the character");
    }
    std::string_view field = text.substr(1, close - 1);
    text.remove_prefix(close + 1);
    Spec spec;
    if (const size_t colon = field.find(':'); colon != std::string_view::npos) {
      ENIGMA_ASSIGN_OR_RETURN(spec, ParseSpec(field.substr(colon + 1)));
      field = field.substr(0, colon);
    }
    char conversion = '\0';
    if (field.size() >= 2 && field[field.size() - 2] == '!') {
      conversion = field.back();
      field.remove_suffix(2);
    }
    ENIGMA_ASSIGN_OR_RETURN(Value value, Field(runtime, field, arguments, next));
    if (conversion != '\0') {
      std::string converted;
      ENIGMA_RETURN_IF_ERROR(conversion == 'r' ? AppendRepr(runtime, value, converted)
                                               : AppendText(runtime, value, converted));
      value = runtime.String(std::move(converted));
    }
    ENIGMA_ASSIGN_OR_RETURN(const std::string part, Rendered(runtime, value, spec));
    ENIGMA_RETURN_IF_ERROR(runtime.CheckString(out.size() + part.size()));
    out += part;
  }
  return runtime.String(std::move(out));
}

absl::StatusOr<Value> FormatPercent(Runtime& runtime, std::string_view text, const Value& value) {
  ENIGMA_RETURN_IF_ERROR(runtime.WorkOnBytes(text.size()));
  std::vector<Value> values;
  if (value.IsTuple()) {
    values = value.items();
  } else {
    values.push_back(value);
  }
  std::string out;
  size_t next = 0;
  bool by_name = false;
  while (!text.empty()) {
    const size_t percent = text.find('%');
    out += text.substr(0, percent);
    if (percent == std::string_view::npos) break;
    text.remove_prefix(percent + 1);
    if (text.empty()) return absl::InvalidArgumentError("the format ends inside a placeholder");
    if (text[0] == '%') {
      out += '%';
      text.remove_prefix(1);
      continue;
    }
    Value argument;
    if (text[0] == '(') {
      by_name = true;
      const size_t close = text.find(')');
      if (close == std::string_view::npos) return absl::InvalidArgumentError("the format has '%(' without ')'");
      ENIGMA_ASSIGN_OR_RETURN(argument, GetItem(runtime, value, runtime.String(text.substr(1, close - 1))));
      text.remove_prefix(close + 1);
    }
    Spec spec;
    bool zero = false;
    for (; !text.empty() && std::string_view("-+ #0").find(text[0]) != std::string_view::npos; text.remove_prefix(1)) {
      if (text[0] == '-') spec.align = '<';
      if (text[0] == '+' || text[0] == ' ') spec.sign = text[0];
      if (text[0] == '#') spec.alternate = true;
      if (text[0] == '0') zero = true;
    }
    spec.width = TakeNumber(text);
    TakePrecision(text, spec);
    if (text.empty()) return absl::InvalidArgumentError("the format ends inside a placeholder");
    spec.type = text[0] == 'i' || text[0] == 'u' ? 'd' : text[0];
    text.remove_prefix(1);
    if (!by_name) {
      if (next >= values.size()) return absl::InvalidArgumentError("not enough arguments for the format");
      argument = values[next++];
    }
    if (spec.type == 'r') {
      std::string quoted;
      ENIGMA_RETURN_IF_ERROR(AppendRepr(runtime, argument, quoted));
      argument = runtime.String(std::move(quoted));
      spec.type = 's';
    }
    if (spec.type == 'c' && argument.IsInteger()) {
      std::string character;
      AppendUtf8(static_cast<char32_t>(std::clamp<int64_t>(argument.AsInteger(), 0, 0x10FFFF)), character);
      argument = runtime.String(std::move(character));
    }
    if (spec.type == 'c') spec.type = 's';
    if (spec.type == 'd' && argument.IsFloat() && std::abs(argument.AsNumber()) < 9e18) {
      argument = Value::Int(static_cast<int64_t>(argument.AsNumber()));
    }
    if (zero && spec.align == '\0' && spec.type != 's') {
      spec.fill = "0";
      spec.align = '=';
    }
    if (spec.align == '\0') spec.align = '>';
    ENIGMA_ASSIGN_OR_RETURN(const std::string part, Rendered(runtime, argument, spec));
    ENIGMA_RETURN_IF_ERROR(runtime.CheckString(out.size() + part.size()));
    out += part;
  }
  if (!by_name && next < values.size() && !value.IsDict() && !(value.IsList() && !value.IsTuple())) {
    return absl::InvalidArgumentError("not all arguments are used by the format");
  }
  return runtime.String(std::move(out));
}

}  // namespace enigma::engine::jinja
