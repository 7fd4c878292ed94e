#include <algorithm>
#include <cmath>

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_format.h>

#include "base/status_macros.h"
#include "engine/text/jinja/characters.h"
#include "engine/text/jinja/value_compare.h"
#include "engine/text/jinja/value_text.h"

namespace enigma::engine::jinja {

namespace {

void AppendUnicodeEscape(char32_t code, std::string& out) {
  if (code >= 0x10000) {
    AppendUnicodeEscape(0xD800 + ((code - 0x10000) >> 10), out);
    code = 0xDC00 + ((code - 0x10000) & 0x3FF);
  }
  out += absl::StrFormat("\\u%04x", static_cast<unsigned>(code));
}

void AppendJsonString(std::string_view text, bool ensure_ascii, std::string& out) {
  out += '"';
  while (!text.empty()) {
    const Character character = FirstCharacter(text);
    const std::string_view bytes = text.substr(0, character.length);
    text.remove_prefix(character.length);
    switch (character.code) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      case '\b':
        out += "\\b";
        break;
      case '\f':
        out += "\\f";
        break;
      default:
        if (character.code < 0x20 || (ensure_ascii && character.code > 0x7E)) {
          AppendUnicodeEscape(character.code, out);
        } else {
          out += bytes;
        }
    }
  }
  out += '"';
}

std::string JsonNumber(const Value& value) {
  if (value.IsInt()) return absl::StrCat(value.AsInteger());
  const double number = value.AsNumber();
  if (std::isnan(number)) return "NaN";
  if (std::isinf(number)) return number < 0 ? "-Infinity" : "Infinity";
  return FloatText(number);
}

class JsonWriter {
 public:
  JsonWriter(Runtime& runtime, const JsonStyle& style, std::string& out)
      : runtime_(runtime), style_(style), out_(out) {}

  absl::Status Write(const Value& value, size_t level) {
    ENIGMA_RETURN_IF_ERROR(runtime_.Work(1));
    ENIGMA_RETURN_IF_ERROR(runtime_.CheckString(out_.size()));
    switch (value.kind()) {
      case Value::Kind::kNone:
        out_ += "null";
        break;
      case Value::Kind::kBool:
        out_ += value.AsBool() ? "true" : "false";
        break;
      case Value::Kind::kInt:
      case Value::Kind::kFloat:
        out_ += JsonNumber(value);
        break;
      case Value::Kind::kString:
        ENIGMA_RETURN_IF_ERROR(runtime_.WorkOnBytes(value.text().size()));
        AppendJsonString(value.text(), style_.ensure_ascii, out_);
        break;
      case Value::Kind::kList:
        return WriteList(value, level);
      case Value::Kind::kDict:
        return WriteDict(value, level);
      case Value::Kind::kUndefined:
        if (style_.undefined) {
          out_ += *style_.undefined;
          break;
        }
        [[fallthrough]];
      case Value::Kind::kObject:
        return absl::InvalidArgumentError(
            absl::StrCat("an object of type '", value.TypeName(), "' cannot be written as JSON"));
    }
    return absl::OkStatus();
  }

 private:
  void NewLine(size_t level) {
    if (!style_.indent) return;
    out_ += '\n';
    for (size_t i = 0; i < level; ++i) out_ += *style_.indent;
  }

  absl::Status WriteList(const Value& list, size_t level) {
    out_ += '[';
    bool first = true;
    for (const Value& item : list.items()) {
      if (!first) out_ += style_.item_separator;
      first = false;
      NewLine(level + 1);
      ENIGMA_RETURN_IF_ERROR(Write(item, level + 1));
    }
    if (!first) NewLine(level);
    out_ += ']';
    return absl::OkStatus();
  }

  absl::Status WriteDict(const Value& dict, size_t level) {
    std::vector<const DictData::Entry*> entries;
    for (const auto& entry : dict.dict().entries) entries.push_back(&entry);
    if (style_.sort_keys) {
      ENIGMA_RETURN_IF_ERROR(runtime_.Work(entries.size() * 20));
      // Keys of different kinds have no order: those keep theirs, behind the texts.
      std::stable_sort(entries.begin(), entries.end(), [](const auto* a, const auto* b) {
        if (!a->key.IsString()) return false;
        return !b->key.IsString() || a->key.text() < b->key.text();
      });
    }
    out_ += '{';
    bool first = true;
    for (const auto* entry : entries) {
      if (!first) out_ += style_.item_separator;
      first = false;
      NewLine(level + 1);
      ENIGMA_RETURN_IF_ERROR(WriteKey(entry->key));
      out_ += style_.key_separator;
      ENIGMA_RETURN_IF_ERROR(Write(entry->value, level + 1));
    }
    if (!first) NewLine(level);
    out_ += '}';
    return absl::OkStatus();
  }

  absl::Status WriteKey(const Value& key) {
    if (key.IsString()) {
      AppendJsonString(key.text(), style_.ensure_ascii, out_);
    } else if (key.IsBool()) {
      out_ += key.AsBool() ? "\"true\"" : "\"false\"";
    } else if (key.IsNone()) {
      out_ += "\"null\"";
    } else if (key.IsNumber()) {
      absl::StrAppend(&out_, "\"", JsonNumber(key), "\"");
    } else {
      return absl::InvalidArgumentError(absl::StrCat("a key of type '", key.TypeName(), "' cannot be written as JSON"));
    }
    return absl::OkStatus();
  }

  Runtime& runtime_;
  const JsonStyle& style_;
  std::string& out_;
};

}  // namespace

absl::Status AppendJson(Runtime& runtime, const Value& value, const JsonStyle& style, std::string& out) {
  return JsonWriter(runtime, style, out).Write(value, 0);
}

}  // namespace enigma::engine::jinja
