#include <algorithm>
#include <string>
#include <utility>

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "base/text.h"
#include "engine/text/jinja/characters.h"
#include "engine/text/jinja/format.h"
#include "engine/text/jinja/methods.h"
#include "engine/text/jinja/operators.h"
#include "engine/text/jinja/parameters.h"
#include "engine/text/jinja/text_operations.h"

namespace enigma::engine::jinja {

namespace {

template <std::string (*convert)(std::string_view)>
absl::StatusOr<Value> ConvertMethod(Runtime& runtime, const Value& value, Arguments arguments) {
  ENIGMA_ASSIGN_OR_RETURN(const Parameters given, Parameters::Bind("the method", std::move(arguments), {}));
  ENIGMA_RETURN_IF_ERROR(runtime.WorkOnBytes(value.text().size() * 4));
  return runtime.String(convert(value.text()));
}

template <Side side>
absl::StatusOr<Value> StripMethod(Runtime& runtime, const Value& value, Arguments arguments) {
  ENIGMA_ASSIGN_OR_RETURN(const Parameters given, Parameters::Bind("strip", std::move(arguments), {"chars"}));
  ENIGMA_ASSIGN_OR_RETURN(const std::string set, given.Text(0));
  ENIGMA_RETURN_IF_ERROR(runtime.WorkOnBytes((value.text().size() + set.size()) * 4));
  const bool white_space = !given.Has(0) || given.At(0).IsNone();
  return runtime.String(white_space ? Strip(value.text(), side) : StripSet(value.text(), set, side));
}

template <bool from_right>
absl::StatusOr<Value> SplitMethod(Runtime& runtime, const Value& value, Arguments arguments) {
  ENIGMA_ASSIGN_OR_RETURN(const Parameters given, Parameters::Bind("split", std::move(arguments), {"sep", "maxsplit"}));
  ENIGMA_ASSIGN_OR_RETURN(const std::string separator, given.Text(0));
  ENIGMA_ASSIGN_OR_RETURN(const int64_t splits, given.Integer(1, -1));
  if (!given.Has(0) || given.At(0).IsNone()) return SplitWords(runtime, value.text(), splits, from_right);
  return SplitOn(runtime, value.text(), separator, splits, from_right);
}

absl::StatusOr<Value> SplitLines(Runtime& runtime, const Value& value, Arguments arguments) {
  ENIGMA_ASSIGN_OR_RETURN(const Parameters given, Parameters::Bind("splitlines", std::move(arguments), {"keepends"}));
  ENIGMA_RETURN_IF_ERROR(runtime.WorkOnBytes(value.text().size() * 4));
  std::vector<Value> lines;
  std::string_view rest = value.text();
  while (!rest.empty()) {
    const size_t end = std::min(rest.find_first_of("\n\r\v\f"), rest.size());
    size_t next = std::min(end + 1, rest.size());
    if (rest.substr(end, 2) == "\r\n") ++next;
    lines.push_back(runtime.String(rest.substr(0, given.Flag(0) ? next : end)));
    ENIGMA_RETURN_IF_ERROR(runtime.CheckItems(lines.size()));
    rest.remove_prefix(next);
  }
  return runtime.List(std::move(lines));
}

template <bool at_start>
absl::StatusOr<Value> EdgeMethod(Runtime& runtime, const Value& value, Arguments arguments) {
  ENIGMA_ASSIGN_OR_RETURN(const Parameters given,
                          Parameters::Bind(at_start ? "startswith" : "endswith", std::move(arguments), {"affix"}, 1));
  std::vector<Value> affixes{given.At(0)};
  if (affixes[0].IsTuple()) affixes = given.At(0).items();
  const std::string_view text = value.text();
  for (const Value& affix : affixes) {
    ENIGMA_RETURN_IF_ERROR(runtime.Work(1));
    if (affix.IsUndefined()) return UndefinedError(affix);
    if (!affix.IsString()) {
      return absl::InvalidArgumentError(
          absl::StrCat("startswith and endswith need a string or tuple of strings, not '", affix.TypeName(), "'"));
    }
    const std::string_view part = affix.text();
    if (part.size() <= text.size() &&
        (at_start ? text.substr(0, part.size()) : text.substr(text.size() - part.size())) == part) {
      return Value::Bool(true);
    }
  }
  return Value::Bool(false);
}

template <bool at_start>
absl::StatusOr<Value> RemoveAffix(Runtime& runtime, const Value& value, Arguments arguments) {
  ENIGMA_ASSIGN_OR_RETURN(const Parameters given, Parameters::Bind(at_start ? "removeprefix" : "removesuffix",
                                                                   std::move(arguments), {"affix"}, 1));
  ENIGMA_ASSIGN_OR_RETURN(const std::string affix, given.Text(0));
  std::string_view text = value.text();
  if (at_start && text.substr(0, affix.size()) == affix) text.remove_prefix(affix.size());
  if (!at_start && text.size() >= affix.size() && text.substr(text.size() - affix.size()) == affix) {
    text.remove_suffix(affix.size());
  }
  ENIGMA_RETURN_IF_ERROR(runtime.WorkOnBytes(text.size()));
  return runtime.String(text);
}

absl::StatusOr<Value> ReplaceMethod(Runtime& runtime, const Value& value, Arguments arguments) {
  ENIGMA_ASSIGN_OR_RETURN(const Parameters given,
                          Parameters::Bind("replace", std::move(arguments), {"old", "new", "count"}, 2));
  ENIGMA_ASSIGN_OR_RETURN(const std::string old_text, given.Text(0));
  ENIGMA_ASSIGN_OR_RETURN(const std::string new_text, given.Text(1));
  ENIGMA_ASSIGN_OR_RETURN(const int64_t count, given.Integer(2, -1));
  return Replace(runtime, value.text(), old_text, new_text, count);
}

absl::StatusOr<Value> JoinMethod(Runtime& runtime, const Value& value, Arguments arguments) {
  ENIGMA_ASSIGN_OR_RETURN(const Parameters given, Parameters::Bind("join", std::move(arguments), {"iterable"}, 1));
  ENIGMA_ASSIGN_OR_RETURN(const std::vector<Value> items, Items(runtime, given.At(0)));
  for (const Value& item : items) {
    if (!item.IsString()) {
      return absl::InvalidArgumentError(absl::StrCat("join needs strings, not '", item.TypeName(), "'"));
    }
  }
  return Join(runtime, items, value.text());
}

absl::StatusOr<Value> FormatMethod(Runtime& runtime, const Value& value, Arguments arguments) {
  return FormatBraces(runtime, value.text(), arguments);
}

// In characters, or -1.
template <bool last>
absl::StatusOr<Value> FindMethod(Runtime& runtime, const Value& value, Arguments arguments) {
  ENIGMA_ASSIGN_OR_RETURN(const Parameters given, Parameters::Bind("find", std::move(arguments), {"sub"}, 1));
  ENIGMA_ASSIGN_OR_RETURN(const std::string part, given.Text(0));
  ENIGMA_RETURN_IF_ERROR(runtime.WorkOnBytes(value.text().size() * 4));
  const size_t at = last ? value.text().rfind(part) : value.text().find(part);
  if (at == std::string::npos) return Value::Int(-1);
  return Value::Int(static_cast<int64_t>(CountCharacters(std::string_view(value.text()).substr(0, at))));
}

template <bool last>
absl::StatusOr<Value> IndexMethod(Runtime& runtime, const Value& value, Arguments arguments) {
  ENIGMA_ASSIGN_OR_RETURN(const Value at, FindMethod<last>(runtime, value, std::move(arguments)));
  if (at.AsInteger() < 0) return absl::InvalidArgumentError("index: the substring is not found");
  return at;
}

absl::StatusOr<Value> CountMethod(Runtime& runtime, const Value& value, Arguments arguments) {
  ENIGMA_ASSIGN_OR_RETURN(const Parameters given, Parameters::Bind("count", std::move(arguments), {"sub"}, 1));
  ENIGMA_ASSIGN_OR_RETURN(const std::string part, given.Text(0));
  ENIGMA_RETURN_IF_ERROR(runtime.WorkOnBytes(value.text().size() * 4));
  if (part.empty()) return Value::Int(static_cast<int64_t>(CountCharacters(value.text())) + 1);
  int64_t count = 0;
  for (size_t at = value.text().find(part); at != std::string::npos; at = value.text().find(part, at + part.size())) {
    ++count;
  }
  return Value::Int(count);
}

template <bool last>
absl::StatusOr<Value> PartitionMethod(Runtime& runtime, const Value& value, Arguments arguments) {
  ENIGMA_ASSIGN_OR_RETURN(const Parameters given, Parameters::Bind("partition", std::move(arguments), {"sep"}, 1));
  ENIGMA_ASSIGN_OR_RETURN(const std::string separator, given.Text(0));
  if (separator.empty()) return absl::InvalidArgumentError("partition: the separator is empty");
  const std::string_view text = value.text();
  ENIGMA_RETURN_IF_ERROR(runtime.WorkOnBytes(text.size()));
  const size_t at = last ? text.rfind(separator) : text.find(separator);
  if (at == std::string_view::npos) {
    const Value whole = runtime.String(text), none = runtime.String("");
    return last ? runtime.Tuple({none, none, whole}) : runtime.Tuple({whole, none, none});
  }
  return runtime.Tuple({runtime.String(text.substr(0, at)), runtime.String(separator),
                        runtime.String(text.substr(at + separator.size()))});
}

template <bool (*belongs)(char32_t)>
absl::StatusOr<Value> AllCharacters(Runtime& runtime, const Value& value, Arguments arguments) {
  ENIGMA_ASSIGN_OR_RETURN(const Parameters given, Parameters::Bind("the method", std::move(arguments), {}));
  ENIGMA_RETURN_IF_ERROR(runtime.WorkOnBytes(value.text().size() * 4));
  for (std::string_view rest = value.text(); !rest.empty();) {
    const Character character = FirstCharacter(rest);
    if (!belongs(character.code)) return Value::Bool(false);
    rest.remove_prefix(character.length);
  }
  return Value::Bool(!value.text().empty());
}

bool IsAlphanumeric(char32_t code) { return IsAlpha(code) || IsDigit(code); }

template <bool upper>
absl::StatusOr<Value> CaseMethod(Runtime& runtime, const Value& value, Arguments arguments) {
  ENIGMA_ASSIGN_OR_RETURN(const Parameters given, Parameters::Bind("the method", std::move(arguments), {}));
  ENIGMA_RETURN_IF_ERROR(runtime.WorkOnBytes(value.text().size() * 4));
  return Value::Bool(HasCase(value.text(), upper));
}

// left, right or center: which side gets the filling.
enum class Justify { kLeft, kRight, kCenter };
template <Justify where>
absl::StatusOr<Value> JustifyMethod(Runtime& runtime, const Value& value, Arguments arguments) {
  ENIGMA_ASSIGN_OR_RETURN(const Parameters given,
                          Parameters::Bind("the method", std::move(arguments), {"width", "fillchar"}, 1));
  ENIGMA_ASSIGN_OR_RETURN(const int64_t width, given.Integer(0));
  ENIGMA_ASSIGN_OR_RETURN(const std::string fill, given.Text(1, " "));
  if (CountCharacters(fill) != 1) return absl::InvalidArgumentError("the fill character must be one character");
  const int64_t missing = width - static_cast<int64_t>(CountCharacters(value.text()));
  if (missing <= 0) return value;
  // Python puts the odd one of a centred text to the left where the width is odd too.
  const int64_t left = where == Justify::kRight  ? missing
                       : where == Justify::kLeft ? 0
                                                 : missing / 2 + (missing & width & 1);
  return Padded(runtime, value.text(), left, missing - left, fill);
}

absl::StatusOr<Value> ZeroFill(Runtime& runtime, const Value& value, Arguments arguments) {
  ENIGMA_ASSIGN_OR_RETURN(const Parameters given, Parameters::Bind("zfill", std::move(arguments), {"width"}, 1));
  ENIGMA_ASSIGN_OR_RETURN(const int64_t width, given.Integer(0));
  const int64_t missing = width - static_cast<int64_t>(CountCharacters(value.text()));
  if (missing <= 0) return value;
  const bool sign = !value.text().empty() && (value.text()[0] == '-' || value.text()[0] == '+');
  ENIGMA_ASSIGN_OR_RETURN(const Value digits,
                          Padded(runtime, std::string_view(value.text()).substr(sign ? 1 : 0), missing, 0, "0"));
  return sign ? runtime.String(value.text().substr(0, 1) + digits.text()) : digits;
}

constexpr std::pair<std::string_view, Method> kMethods[] = {
    {"capitalize", ConvertMethod<Capitalize>},
    {"casefold", ConvertMethod<ToLower>},
    {"center", JustifyMethod<Justify::kCenter>},
    {"count", CountMethod},
    {"endswith", EdgeMethod<false>},
    {"find", FindMethod<false>},
    {"format", FormatMethod},
    {"index", IndexMethod<false>},
    {"isalnum", AllCharacters<IsAlphanumeric>},
    {"isalpha", AllCharacters<IsAlpha>},
    {"isdecimal", AllCharacters<IsDigit>},
    {"isdigit", AllCharacters<IsDigit>},
    {"islower", CaseMethod<false>},
    {"isnumeric", AllCharacters<IsDigit>},
    {"isspace", AllCharacters<IsSpace>},
    {"isupper", CaseMethod<true>},
    {"join", JoinMethod},
    {"ljust", JustifyMethod<Justify::kLeft>},
    {"lower", ConvertMethod<ToLower>},
    {"lstrip", StripMethod<Side::kLeft>},
    {"partition", PartitionMethod<false>},
    {"removeprefix", RemoveAffix<true>},
    {"removesuffix", RemoveAffix<false>},
    {"replace", ReplaceMethod},
    {"rfind", FindMethod<true>},
    {"rindex", IndexMethod<true>},
    {"rjust", JustifyMethod<Justify::kRight>},
    {"rpartition", PartitionMethod<true>},
    {"rsplit", SplitMethod<true>},
    {"rstrip", StripMethod<Side::kRight>},
    {"split", SplitMethod<false>},
    {"splitlines", SplitLines},
    {"startswith", EdgeMethod<true>},
    {"strip", StripMethod<Side::kBoth>},
    {"swapcase", ConvertMethod<SwapCase>},
    {"title", ConvertMethod<TitleWords>},
    {"upper", ConvertMethod<ToUpper>},
    {"zfill", ZeroFill},
};

}  // namespace

Method FindStringMethod(std::string_view name) {
  for (const auto& [known, method] : kMethods) {
    if (known == name) return method;
  }
  return nullptr;
}

}  // namespace enigma::engine::jinja
