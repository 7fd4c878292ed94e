#include "engine/text/jinja/value_text.h"

#include <charconv>
#include <cmath>

#include <absl/strings/str_cat.h>
#include <absl/strings/str_format.h>

#include "base/status_macros.h"
#include "base/text.h"
#include "engine/text/jinja/characters.h"

namespace enigma::engine::jinja {

namespace {

// Python's repr: single quotes unless only those occur in the text; what cannot be seen is escaped.
void AppendQuoted(std::string_view text, std::string& out) {
  const bool doubled = text.find('\'') != std::string_view::npos && text.find('"') == std::string_view::npos;
  const char quote = doubled ? '"' : '\'';
  out += quote;
  while (!text.empty()) {
    const Character character = FirstCharacter(text);
    const std::string_view bytes = text.substr(0, character.length);
    text.remove_prefix(character.length);
    if (character.code == static_cast<char32_t>(quote) || character.code == '\\') {
      out += '\\';
      out += bytes;
    } else if (character.code == '\n') {
      out += "\\n";
    } else if (character.code == '\r') {
      out += "\\r";
    } else if (character.code == '\t') {
      out += "\\t";
    } else if (IsPrintable(character.code)) {
      out += bytes;
    } else if (character.code < 0x100) {
      out += absl::StrFormat("\\x%02x", static_cast<unsigned>(character.code));
    } else {
      const auto code = static_cast<unsigned>(character.code);
      out += code < 0x10000 ? absl::StrFormat("\\u%04x", code) : absl::StrFormat("\\U%08x", code);
    }
  }
  out += quote;
}

absl::Status AppendItems(Runtime& runtime, const Value& list, std::string& out) {
  out += list.IsTuple() ? '(' : '[';
  bool first = true;
  for (const Value& item : list.items()) {
    if (!first) out += ", ";
    first = false;
    ENIGMA_RETURN_IF_ERROR(AppendRepr(runtime, item, out));
  }
  if (list.IsTuple() && list.items().size() == 1) out += ',';
  out += list.IsTuple() ? ')' : ']';
  return absl::OkStatus();
}

absl::Status AppendObject(Runtime& runtime, Object& object, std::string& out) {
  const auto* content = object.Content();
  if (content == nullptr) {
    absl::StrAppend(&out, "<", object.TypeName(), ">");
    return absl::OkStatus();
  }
  // Only the names: a namespace may hold itself.
  ENIGMA_RETURN_IF_ERROR(runtime.Work(content->size()));
  absl::StrAppend(&out, "<Namespace of ", content->size(), " values>");
  return absl::OkStatus();
}

}  // namespace

std::string FloatText(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
  char buffer[32];
  const auto scientific = std::to_chars(buffer, buffer + sizeof(buffer), value, std::chars_format::scientific);
  const std::string_view text(buffer, static_cast<size_t>(scientific.ptr - buffer));
  int exponent = 0;
  const size_t e = text.find('e');
  std::from_chars(text.data() + e + (text[e + 1] == '+' ? 2 : 1), scientific.ptr, exponent);
  if (exponent < -4 || exponent >= 16) return std::string(text);
  char fixed[64];
  const auto end = std::to_chars(fixed, fixed + sizeof(fixed), value, std::chars_format::fixed);
  std::string out(fixed, end.ptr);
  if (out.find('.') == std::string::npos) out += ".0";
  return out;
}

absl::Status AppendRepr(Runtime& runtime, const Value& value, std::string& out) {
  ENIGMA_RETURN_IF_ERROR(runtime.Work(1));
  ENIGMA_RETURN_IF_ERROR(runtime.CheckString(out.size()));
  switch (value.kind()) {
    case Value::Kind::kUndefined:
      out += "Undefined";
      break;
    case Value::Kind::kNone:
      out += "None";
      break;
    case Value::Kind::kBool:
      if (runtime.dialect() == Dialect::kJavaScript) {
        out += value.AsBool() ? "true" : "false";
      } else {
        out += value.AsBool() ? "True" : "False";
      }
      break;
    case Value::Kind::kInt:
      absl::StrAppend(&out, value.AsInteger());
      break;
    case Value::Kind::kFloat:
      out += FloatText(value.AsNumber());
      break;
    case Value::Kind::kString:
      ENIGMA_RETURN_IF_ERROR(runtime.WorkOnBytes(value.text().size()));
      AppendQuoted(value.text(), out);
      break;
    case Value::Kind::kList:
      return AppendItems(runtime, value, out);
    case Value::Kind::kDict: {
      out += '{';
      bool first = true;
      for (const auto& [key, item] : value.dict().entries) {
        if (!first) out += ", ";
        first = false;
        ENIGMA_RETURN_IF_ERROR(AppendRepr(runtime, key, out));
        out += ": ";
        ENIGMA_RETURN_IF_ERROR(AppendRepr(runtime, item, out));
      }
      out += '}';
      break;
    }
    case Value::Kind::kObject:
      return AppendObject(runtime, *value.object(), out);
  }
  return absl::OkStatus();
}

absl::Status AppendText(Runtime& runtime, const Value& value, std::string& out) {
  if (value.IsUndefined()) return absl::OkStatus();
  if (value.IsString()) {
    ENIGMA_RETURN_IF_ERROR(runtime.WorkOnBytes(value.text().size()));
    ENIGMA_RETURN_IF_ERROR(runtime.CheckString(out.size() + value.text().size()));
    out += value.text();
    return absl::OkStatus();
  }
  if (runtime.dialect() == Dialect::kJavaScript && (value.IsList() || value.IsDict())) {
    JsonStyle style;
    style.undefined = "undefined";
    return AppendJson(runtime, value, style, out);
  }
  return AppendRepr(runtime, value, out);
}

absl::StatusOr<std::string> Text(Runtime& runtime, const Value& value) {
  std::string out;
  ENIGMA_RETURN_IF_ERROR(AppendText(runtime, value, out));
  return out;
}

}  // namespace enigma::engine::jinja
