#include "engine/text/tool_calls/tool_syntax.h"

#include <algorithm>
#include <optional>

#include <nlohmann/json.hpp>

#include "engine/text/tool_calls/call_mark.h"
#include "engine/text/tool_calls/json_extent.h"

namespace enigma::engine {
namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kAbsent = std::string_view::npos;

size_t CommonPrefix(std::string_view a, std::string_view b) {
  return static_cast<size_t>(std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first - a.begin());
}

size_t CommonSuffix(std::string_view a, std::string_view b) {
  return static_cast<size_t>(std::mismatch(a.rbegin(), a.rend(), b.rbegin(), b.rend()).first - a.rbegin());
}

bool IsToolSpace(char c) { return kToolSpaces.find(c) != kAbsent; }

constexpr std::string_view kMarkOpens = "<[";
constexpr std::string_view kMarkCloses = ">]";
constexpr std::string_view kValue = "value";  // of the probes' argument

// A call in an answer: the bytes [first, last) of its JSON, or from its name to its arguments' end.
struct Place {
  size_t first = 0;
  size_t last = 0;
};

bool HoldsArgument(const Json& value, std::string_view argument) {
  if (value.is_object()) return value.contains(argument);
  if (!value.is_string()) return false;  // some templates write the arguments as text
  const Json parsed = Json::parse(value.get_ref<const std::string&>(), nullptr, /*allow_exceptions=*/false);
  return parsed.is_object() && parsed.contains(argument);
}

// Notes under which keys name and arguments stand; false where they do not.
bool ReadKeys(const Json& call, const ToolProbes& probes, ToolSyntax& syntax) {
  std::string name;
  std::string arguments;
  for (const auto& [key, value] : call.items()) {
    if (value.is_string() && value.get_ref<const std::string&>() == probes.tool) {
      name = key;
    } else if (HoldsArgument(value, probes.argument)) {
      arguments = key;
    }
  }
  if (name.empty() || arguments.empty()) return false;
  syntax.name_key = name;
  syntax.arguments_key = arguments;
  return true;
}

// The first object at or behind `from` that is a call.
std::optional<Place> FindObject(std::string_view text, size_t from, const ToolProbes& probes, ToolSyntax& syntax) {
  for (size_t at = text.find('{', from); at != kAbsent; at = text.find('{', at + 1)) {
    const std::optional<size_t> end = EndOfJson(text, at);
    if (!end || *end == kAbsent) continue;
    const Json value = Json::parse(text.substr(at, *end - at), nullptr, /*allow_exceptions=*/false);
    if (!value.is_object()) continue;
    const auto function = value.find("function");
    syntax.wrapped = function != value.end() && function->is_object();
    if (ReadKeys(syntax.wrapped ? *function : value, probes, syntax)) return Place{at, *end};
  }
  return std::nullopt;
}

// The first name at or behind `from` with an object of arguments behind it.
std::optional<Place> FindNamed(std::string_view text, size_t from, const ToolProbes& probes, ToolSyntax& syntax) {
  const size_t name = text.find(probes.tool, from);
  if (name == kAbsent) return std::nullopt;
  const size_t behind = name + probes.tool.size();
  const size_t brace = text.find('{', behind);
  const std::optional<size_t> end = brace == kAbsent ? std::nullopt : EndOfJson(text, brace);
  if (!end || *end == kAbsent) return std::nullopt;
  const Json value = Json::parse(text.substr(brace, *end - brace), nullptr, /*allow_exceptions=*/false);
  if (!value.is_object() || !value.contains(probes.argument)) return std::nullopt;
  const std::string_view between = text.substr(behind, brace - behind);
  const size_t id = probes.id.empty() ? kAbsent : between.find(probes.id);
  syntax.before_id = id == kAbsent ? "" : std::string(between.substr(0, id));
  syntax.separator = std::string(id == kAbsent ? between : between.substr(id + probes.id.size()));
  return Place{name, *end};
}

// Behind the mark that the probes' value at or behind `from` is followed by; notes that mark, and the one before the
// value. Parts of marks are called "value", too: the value stands between two marks.
std::optional<size_t> FindValue(std::string_view text, size_t from, ToolSyntax& syntax) {
  for (size_t at = text.find(kValue, from); at != kAbsent; at = text.find(kValue, at + 1)) {
    const std::string_view before = TrimmedToolText(text.substr(from, at - from));
    const size_t behind = at + kValue.size();
    const size_t mark = SkipToolSpaces(text, behind);
    const size_t end = text.find_first_of(kMarkCloses, mark);
    if (before.empty() || kMarkCloses.find(before.back()) == kAbsent || end == kAbsent) continue;
    if (kMarkOpens.find(text[mark]) == kAbsent) continue;
    syntax.key_close = text.substr(from, at - from);
    syntax.value_close = text.substr(behind, end + 1 - behind);
    return end + 1;
  }
  return std::nullopt;
}

// The first name at or behind `from` with the argument as a field behind it. One argument does not tell what belongs
// to each of them and what to all, so there must be one mark before its name; and the one behind its value is its own.
std::optional<Place> FindFields(std::string_view text, size_t from, const ToolProbes& probes, ToolSyntax& syntax) {
  const size_t name = text.find(probes.tool, from);
  if (name == kAbsent) return std::nullopt;
  const size_t behind = name + probes.tool.size();
  const size_t key = text.find(probes.argument, behind);
  if (key == kAbsent) return std::nullopt;
  const std::string_view between = text.substr(behind, key - behind);
  const size_t mark = between.find_first_of(kMarkOpens);
  if (mark == kAbsent || mark != between.find_last_of(kMarkOpens)) return std::nullopt;
  syntax.separator = between.substr(0, mark);
  syntax.key_open = between.substr(mark);
  const std::optional<size_t> end = FindValue(text, key + probes.argument.size(), syntax);
  return end ? std::optional(Place{name, *end}) : std::nullopt;
}

using Find = std::optional<Place> (*)(std::string_view, size_t, const ToolProbes&, ToolSyntax&);

// Takes the brackets of a list around the call out of what stands before and behind it.
void TakeList(std::string& before, std::string& behind, ToolSyntax& syntax) {
  size_t last = before.size();
  while (last > 0 && IsToolSpace(before[last - 1])) --last;
  size_t first = 0;
  while (first < behind.size() && IsToolSpace(behind[first])) ++first;
  if (last == 0 || before[last - 1] != '[' || first == behind.size() || behind[first] != ']') return;
  syntax.list = true;
  before.resize(last - 1);
  behind.erase(0, first + 1);
}

// The beginning of the mark <...> or [...] that `at` lies inside; going forward, of the next one. `at` itself where it
// lies in none.
size_t StartOfMark(std::string_view text, size_t at, bool forward = false) {
  const std::string_view before = text.substr(0, at);
  const size_t opened = before.find_last_of(kMarkOpens);
  const size_t closed = before.find_last_of(kMarkCloses);
  if (opened == kAbsent || (closed != kAbsent && closed > opened)) return at;
  if (!forward) return opened;
  const size_t next = text.find_first_of(kMarkOpens, at);
  return next == kAbsent ? at : next;
}

// What stands between two calls tells what belongs to each and what to all of them.
void Divide(const std::string& before, const std::string& between, const std::string& behind, ToolSyntax& syntax) {
  size_t open = CommonSuffix(before, between);
  // "<a><b>" and "</b><b>" have the ">" before "<b>" in common, too.
  open = before.size() - StartOfMark(before, before.size() - open, /*forward=*/true);
  syntax.open = before.substr(before.size() - open);
  syntax.begin = before.substr(0, before.size() - open);
  const size_t close = CommonPrefix(behind, std::string_view(between).substr(0, between.size() - open));
  syntax.close = behind.substr(0, close);
  syntax.end = behind.substr(close);
}

void DivideBy(const ToolProbes& probes, size_t head, Find find, const std::string& behind, ToolSyntax& syntax) {
  if (probes.called_two.size() < head) return;
  const std::string_view two = std::string_view(probes.called_two).substr(head);
  ToolSyntax ignored;
  const std::optional<Place> first = find(two, 0, probes, ignored);
  const std::optional<Place> second = first ? find(two, first->last, probes, ignored) : std::nullopt;
  if (!second) return;
  const std::string before = syntax.open;
  Divide(before, std::string(two.substr(first->last, second->first - first->last)), behind, syntax);
}

}  // namespace

ToolSyntax FindToolSyntax(const ToolProbes& probes) {
  const size_t mark = probes.said.rfind(probes.mark);
  if (mark == kAbsent) return {};
  // The same head stands before a text and before a call, and the same end of the turn behind them, or one that differs
  // within a mark.
  const size_t head = StartOfMark(probes.said, CommonPrefix(probes.said, probes.called));
  const std::string_view turn_end = std::string_view(probes.said).substr(mark + probes.mark.size());
  const std::string_view called = std::string_view(probes.called).substr(head);
  constexpr struct {
    Find find;
    ToolSyntax::Shape shape;
  } kForms[] = {{&FindObject, ToolSyntax::Shape::kObject},
                {&FindNamed, ToolSyntax::Shape::kNamed},
                {&FindFields, ToolSyntax::Shape::kFields}};
  for (const auto& [find, shape] : kForms) {
    ToolSyntax syntax;
    const std::optional<Place> call = find(called, 0, probes, syntax);
    if (!call) continue;
    syntax.shape = shape;
    std::string before(called.substr(0, call->first));
    std::string behind(called.substr(call->last));
    behind.resize(StartOfMark(behind, behind.size() - CommonSuffix(behind, turn_end)));
    if (shape == ToolSyntax::Shape::kObject) TakeList(before, behind, syntax);
    syntax.open = before;
    syntax.close = behind;
    if (!syntax.list && !probes.called_two.empty()) DivideBy(probes, head, find, behind, syntax);
    // Nothing tells a bare name from a text, or what may follow a field from the next one.
    const bool bare = syntax.begin.empty() && TrimmedToolText(syntax.open).empty();
    const bool unclosed = TrimmedToolText(syntax.close).empty();
    const bool unread = (bare && shape != ToolSyntax::Shape::kObject) ||
                        (shape == ToolSyntax::Shape::kFields && (unclosed || TrimmedToolText(syntax.open).empty()));
    return unread ? ToolSyntax() : syntax;
  }
  return {};
}

}  // namespace enigma::engine
