#include <algorithm>
#include <string>
#include <utility>

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_format.h>

#include "base/status_macros.h"
#include "base/text.h"
#include "engine/text/jinja/characters.h"
#include "engine/text/jinja/filters.h"
#include "engine/text/jinja/format.h"
#include "engine/text/jinja/operators.h"
#include "engine/text/jinja/parameters.h"
#include "engine/text/jinja/text_operations.h"
#include "engine/text/jinja/value_text.h"

namespace enigma::engine::jinja {

namespace {

template <std::string (*convert)(std::string_view)>
absl::StatusOr<Value> Convert(Runtime& runtime, const Value& value, Arguments arguments) {
  ENIGMA_ASSIGN_OR_RETURN(const Parameters given, Parameters::Bind("the filter", std::move(arguments), {}));
  ENIGMA_ASSIGN_OR_RETURN(const std::string text, Text(runtime, value));
  ENIGMA_RETURN_IF_ERROR(runtime.WorkOnBytes(text.size() * 4));
  return runtime.String(convert(text));
}

// Unlike str.title(), the filter begins a word only behind white space, a dash or an opening bracket.
std::string TitleFilter(std::string_view text) {
  std::string out;
  size_t begin = 0;
  const auto word = [&](size_t end) { out += Capitalize(text.substr(begin, end - begin)); };
  for (size_t i = 0; i < text.size(); ++i) {
    if (std::string_view("- \t\n\v\f\r({[<").find(text[i]) == std::string_view::npos) continue;
    word(i);
    out += text[i];
    begin = i + 1;
  }
  word(text.size());
  return out;
}

std::string EscapeHtml(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&#34;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string EncodeUrl(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                       std::string_view("-._~/").find(c) != std::string_view::npos;
    plain ? out += c : out += absl::StrFormat("%%%02X", static_cast<unsigned char>(c));
  }
  return out;
}

absl::StatusOr<Value> String(Runtime& runtime, const Value& value, Arguments arguments) {
  ENIGMA_ASSIGN_OR_RETURN(const Parameters given, Parameters::Bind("string", std::move(arguments), {}));
  if (value.IsString()) return value;
  ENIGMA_ASSIGN_OR_RETURN(std::string text, Text(runtime, value));
  return runtime.String(std::move(text));
}

absl::StatusOr<Value> Trim(Runtime& runtime, const Value& value, Arguments arguments) {
  ENIGMA_ASSIGN_OR_RETURN(const Parameters given, Parameters::Bind("trim", std::move(arguments), {"chars"}));
  ENIGMA_ASSIGN_OR_RETURN(const std::string text, Text(runtime, value));
  ENIGMA_ASSIGN_OR_RETURN(const std::string set, given.Text(0));
  ENIGMA_RETURN_IF_ERROR(runtime.WorkOnBytes((text.size() + set.size()) * 4));
  const bool white_space = !given.Has(0) || given.At(0).IsNone();
  return runtime.String(white_space ? Strip(text, Side::kBoth) : StripSet(text, set, Side::kBoth));
}

absl::StatusOr<Value> ReplaceFilter(Runtime& runtime, const Value& value, Arguments arguments) {
  ENIGMA_ASSIGN_OR_RETURN(const Parameters given,
                          Parameters::Bind("replace", std::move(arguments), {"old", "new", "count"}, 2));
  ENIGMA_ASSIGN_OR_RETURN(const std::string text, Text(runtime, value));
  ENIGMA_ASSIGN_OR_RETURN(const std::string old_text, Text(runtime, given.At(0)));
  ENIGMA_ASSIGN_OR_RETURN(const std::string new_text, Text(runtime, given.At(1)));
  ENIGMA_ASSIGN_OR_RETURN(const int64_t count, given.Integer(2, -1));
  return Replace(runtime, text, old_text, new_text, count);
}

absl::StatusOr<Value> JoinFilter(Runtime& runtime, const Value& value, Arguments arguments) {
  ENIGMA_ASSIGN_OR_RETURN(const Parameters given, Parameters::Bind("join", std::move(arguments), {"d", "attribute"}));
  ENIGMA_ASSIGN_OR_RETURN(std::vector<Value> items, Items(runtime, value));
  if (given.Has(1) && !given.At(1).IsNone()) {
    for (Value& item : items) {
      ENIGMA_ASSIGN_OR_RETURN(item, AttributePath(runtime, item, given.At(1)));
    }
  }
  ENIGMA_ASSIGN_OR_RETURN(const std::string separator, Text(runtime, given.At(0)));
  return Join(runtime, items, separator);
}

absl::StatusOr<Value> Indent(Runtime& runtime, const Value& value, Arguments arguments) {
  ENIGMA_ASSIGN_OR_RETURN(const Parameters given,
                          Parameters::Bind("indent", std::move(arguments), {"width", "first", "blank"}));
  ENIGMA_ASSIGN_OR_RETURN(const std::string text, Text(runtime, value));
  std::string margin;
  if (given.Has(0) && given.At(0).IsString()) {
    margin = given.At(0).text();
  } else {
    ENIGMA_ASSIGN_OR_RETURN(const int64_t width, given.Integer(0, 4));
    ENIGMA_ASSIGN_OR_RETURN(const Value spaces, Padded(runtime, "", width, 0, " "));
    margin = spaces.text();
  }
  std::string out;
  bool first = true;
  for (std::string_view rest = text;;) {
    const size_t end = std::min(rest.find('\n'), rest.size());
    const std::string_view line = rest.substr(0, end);
    if (first ? given.Flag(1) : (given.Flag(2) || !line.empty())) out += margin;
    first = false;
    out += line;
    ENIGMA_RETURN_IF_ERROR(runtime.CheckString(out.size()));
    ENIGMA_RETURN_IF_ERROR(runtime.WorkOnBytes(margin.size() + line.size()));
    if (end == rest.size()) break;
    out += '\n';
    rest.remove_prefix(end + 1);
  }
  return runtime.String(std::move(out));
}

absl::StatusOr<Value> FormatFilter(Runtime& runtime, const Value& value, Arguments arguments) {
  ENIGMA_ASSIGN_OR_RETURN(const std::string text, Text(runtime, value));
  if (arguments.named.empty()) return FormatPercent(runtime, text, runtime.Tuple(std::move(arguments.positional)));
  std::vector<DictData::Entry> entries;
  for (auto& [name, argument] : arguments.named) entries.push_back({runtime.String(name), std::move(argument)});
  ENIGMA_ASSIGN_OR_RETURN(const Value named, runtime.Dict(std::move(entries)));
  return FormatPercent(runtime, text, named);
}

absl::StatusOr<Value> Center(Runtime& runtime, const Value& value, Arguments arguments) {
  ENIGMA_ASSIGN_OR_RETURN(const Parameters given, Parameters::Bind("center", std::move(arguments), {"width"}));
  ENIGMA_ASSIGN_OR_RETURN(const std::string text, Text(runtime, value));
  ENIGMA_ASSIGN_OR_RETURN(const int64_t width, given.Integer(0, 80));
  const int64_t missing = std::max<int64_t>(width - static_cast<int64_t>(CountCharacters(text)), 0);
  const int64_t left = missing / 2 + (missing & width & 1);
  return Padded(runtime, text, left, missing - left, " ");
}

absl::StatusOr<Value> Truncate(Runtime& runtime, const Value& value, Arguments arguments) {
  ENIGMA_ASSIGN_OR_RETURN(const Parameters given,
                          Parameters::Bind("truncate", std::move(arguments), {"length", "killwords", "end", "leeway"}));
  ENIGMA_ASSIGN_OR_RETURN(const std::string text, Text(runtime, value));
  ENIGMA_ASSIGN_OR_RETURN(const int64_t length, given.Integer(0, 255));
  ENIGMA_ASSIGN_OR_RETURN(const std::string end, given.Text(2, "..."));
  ENIGMA_ASSIGN_OR_RETURN(const int64_t leeway, given.Integer(3, 5));
  ENIGMA_RETURN_IF_ERROR(runtime.WorkOnBytes(text.size() * 8));
  const std::vector<size_t> offsets = CharacterOffsets(text);
  const int64_t characters = static_cast<int64_t>(offsets.size()) - 1;
  const int64_t room = length - static_cast<int64_t>(CountCharacters(end));
  if (room < 0 || leeway < 0)
    return absl::InvalidArgumentError("truncate: length is shorter than the end, or leeway below 0");
  if (characters - leeway <= length) return runtime.String(text);
  std::string kept = text.substr(0, offsets[static_cast<size_t>(std::min(room, characters))]);
  if (!given.Flag(1)) kept = kept.substr(0, kept.rfind(' '));
  return runtime.String(kept + end);
}

absl::StatusOr<Value> WordCount(Runtime& runtime, const Value& value, Arguments arguments) {
  ENIGMA_ASSIGN_OR_RETURN(const Parameters given, Parameters::Bind("wordcount", std::move(arguments), {}));
  ENIGMA_ASSIGN_OR_RETURN(const std::string text, Text(runtime, value));
  ENIGMA_ASSIGN_OR_RETURN(const Value words, SplitWords(runtime, text, -1, false));
  return Value::Int(static_cast<int64_t>(words.items().size()));
}

// As transformers replaces Jinja's own: plain json.dumps, without escapes for HTML.
absl::StatusOr<Value> ToJson(Runtime& runtime, const Value& value, Arguments arguments) {
  ENIGMA_ASSIGN_OR_RETURN(
      const Parameters given,
      Parameters::Bind("tojson", std::move(arguments), {"ensure_ascii", "indent", "separators", "sort_keys"}));
  JsonStyle style;
  style.ensure_ascii = given.Flag(0);
  style.sort_keys = given.Flag(3);
  if (runtime.dialect() == Dialect::kJavaScript) style.undefined = "null";
  if (given.Has(1) && !given.At(1).IsNone()) {
    style.item_separator = ",";
    if (given.At(1).IsString()) {
      style.indent = given.At(1).text();
    } else {
      ENIGMA_ASSIGN_OR_RETURN(const int64_t width, given.Integer(1));
      // What a level adds is written for each line, so it is kept small.
      if (width > 64) return absl::InvalidArgumentError("tojson: an indent of more than 64 is refused");
      style.indent = std::string(static_cast<size_t>(std::max<int64_t>(width, 0)), ' ');
    }
    if (style.indent->size() > 64) return absl::InvalidArgumentError("tojson: an indent of more than 64 is refused");
  }
  if (given.Has(2) && !given.At(2).IsNone()) {
    const Value separators = given.At(2);
    if (!separators.IsList() || separators.items().size() != 2 || !separators.items()[0].IsString() ||
        !separators.items()[1].IsString()) {
      return absl::InvalidArgumentError("tojson: separators must be two strings");
    }
    style.item_separator = separators.items()[0].text();
    style.key_separator = separators.items()[1].text();
  }
  std::string out;
  ENIGMA_RETURN_IF_ERROR(AppendJson(runtime, value, style, out));
  ENIGMA_RETURN_IF_ERROR(runtime.CheckString(out.size()));
  return runtime.String(std::move(out));
}

constexpr std::pair<std::string_view, Filter> kTextFilters[] = {
    {"capitalize", Convert<Capitalize>},
    {"center", Center},
    {"e", Convert<EscapeHtml>},
    {"escape", Convert<EscapeHtml>},
    {"forceescape", Convert<EscapeHtml>},
    {"format", FormatFilter},
    {"indent", Indent},
    {"join", JoinFilter},
    {"lower", Convert<ToLower>},
    {"replace", ReplaceFilter},
    {"safe", String},
    {"string", String},
    {"title", Convert<TitleFilter>},
    {"tojson", ToJson},
    {"trim", Trim},
    {"truncate", Truncate},
    {"upper", Convert<ToUpper>},
    {"urlencode", Convert<EncodeUrl>},
    {"wordcount", WordCount},
};

}  // namespace

Filter FindTextFilter(std::string_view name) {
  for (const auto& [known, filter] : kTextFilters) {
    if (known == name) return filter;
  }
  return nullptr;
}

}  // namespace enigma::engine::jinja
