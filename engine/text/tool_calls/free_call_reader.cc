#include "engine/text/tool_calls/free_call_reader.h"

#include <algorithm>
#include <utility>

#include <nlohmann/json.hpp>

#include "engine/text/json_shape.h"
#include "engine/text/tool_calls/argument_value.h"

namespace enigma::engine {
namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kNotThere = std::string_view::npos;

// How many bytes at the end of `text` may begin one of the marks.
size_t BegunMark(std::string_view text, const std::vector<std::string>& marks) {
  size_t longest = 0;
  for (const std::string& mark : marks) {
    for (size_t length = std::min(mark.size() - 1, text.size()); length > longest; --length) {
      if (text.ends_with(std::string_view(mark).substr(0, length))) longest = length;
    }
  }
  return longest;
}

// The last of the marks <...> or [...] that stand in `marks`; all of it where there is none.
std::string_view LastMark(std::string_view marks) {
  const size_t opened = marks.find_last_of("<[");
  return opened == kNotThere ? marks : marks.substr(opened);
}

}  // namespace

FreeCallReader::FreeCallReader(Options options)
    : options_(std::move(options)),
      begin_(TrimmedToolText(options_.syntax.begin)),
      open_(TrimmedToolText(options_.syntax.open)),
      before_id_(TrimmedToolText(options_.syntax.before_id)),
      separator_(TrimmedToolText(options_.syntax.separator)),
      close_(TrimmedToolText(options_.syntax.close)),
      end_(TrimmedToolText(options_.syntax.end)),
      begin_mark_(options_.syntax.begin),
      open_mark_(options_.syntax.open),
      name_mark_(LastMark(options_.syntax.open)),
      fields_(options_.syntax) {
  const bool fields = options_.syntax.shape == ToolSyntax::Shape::kFields;
  for (const std::string& mark : {begin_, open_}) {
    if (!mark.empty()) marks_.push_back(fields ? CallMark(mark).words().front() : mark);
  }
  if (fields) marks_.push_back(name_mark_.words().front());
  if (open_.empty() && options_.syntax.shape == ToolSyntax::Shape::kObject) marks_.emplace_back(kPythonTag);
}

ToolOutput FreeCallReader::Add(std::string_view text) {
  pending_ += text;
  ToolOutput out;
  Read(/*final=*/false, out);
  return out;
}

ToolOutput FreeCallReader::Finish() {
  ToolOutput out;
  Read(/*final=*/true, out);
  if (calls_ > 0 && SkipToolSpaces(pending_, 0) == pending_.size()) pending_.clear();
  out.content += std::exchange(pending_, {});
  return out;
}

void FreeCallReader::Read(bool final, ToolOutput& out) {
  while (true) {
    if (!in_call_ && after_call_ && !SkipEnd(final)) return;
    if (!in_call_ && !ReadText(final, out)) return;
    if (!ReadCall(final, out)) return;
  }
}

bool FreeCallReader::SkipEnd(bool final) {
  size_t at = SkipToolSpaces(pending_, 0);
  if (at == pending_.size() && !final) return false;
  if (!end_.empty()) {
    const MarkFound found = FindMarkAt(pending_, at, end_);
    if (found == MarkFound::kMaybe && !final) return false;
    if (found != MarkFound::kNo) at = std::min(at + end_.size(), pending_.size());
  }
  // Lists without brackets, as some models write them.
  if (open_.empty() && at < pending_.size() && (pending_[at] == ';' || pending_[at] == ',')) {
    const size_t next = SkipToolSpaces(pending_, at + 1);
    if (next == pending_.size() && !final) return false;
    if (next < pending_.size() && pending_[next] == '{') at = next;
  }
  // Of calls whose marks stand around all of them.
  in_call_ = open_.empty() && !begin_.empty() && at < pending_.size() && pending_[at] == '{';
  pending_.erase(0, at);
  after_call_ = false;
  return true;
}

bool FreeCallReader::BeginsBare(bool final) const {
  if (!at_start_ || !open_.empty() || options_.syntax.shape != ToolSyntax::Shape::kObject) return false;
  const size_t first = SkipToolSpaces(pending_, 0);
  if (first == pending_.size()) return !final;
  return pending_[first] == '{' || pending_[first] == '[';
}

bool FreeCallReader::ReadText(bool final, ToolOutput& out) {
  if (BeginsBare(final)) {
    in_call_ = SkipToolSpaces(pending_, 0) < pending_.size();
    return in_call_;
  }
  size_t mark = kNotThere;
  for (const std::string& one : marks_) mark = std::min(mark, pending_.find(one));
  in_call_ = mark != kNotThere;
  size_t shown = in_call_ ? mark : pending_.size() - (final ? 0 : BegunMark(pending_, marks_));
  // White space that may stand before a call.
  if (in_call_ || !final) {
    while (shown > 0 && kToolSpaces.find(pending_[shown - 1]) != kNotThere) --shown;
  }
  out.content.append(pending_, 0, shown);
  pending_.erase(0, shown);
  at_start_ = at_start_ && shown == 0;
  return in_call_;
}

bool FreeCallReader::ReadCall(bool final, ToolOutput& out) {
  Parsed parsed = Parse(final);
  if (parsed.kind == Parsed::Kind::kIncomplete) return false;
  in_call_ = false;
  extent_.Reset();
  fields_.Reset();
  if (parsed.kind == Parsed::Kind::kNone) {
    // Text up to the first byte of what was taken for a mark; behind it a call may stand still.
    const size_t shown = std::min(SkipToolSpaces(pending_, 0) + 1, pending_.size());
    out.content.append(pending_, 0, shown);
    pending_.erase(0, shown);
    at_start_ = false;
    if (++failures_ == kFailuresMax) marks_.clear();
    return true;
  }
  pending_.erase(0, parsed.end);
  after_call_ = true;
  for (Call& call : parsed.calls) {
    if (calls_ >= options_.calls_max) break;
    out.calls.push_back({.call = calls_++, .name = std::move(call.name), .arguments = std::move(call.arguments)});
  }
  return true;
}

FreeCallReader::Parsed FreeCallReader::Parse(bool final) {
  if (options_.syntax.shape == ToolSyntax::Shape::kFields) return ParseFields(final);
  const std::string_view text = pending_;
  const Parsed unsettled = {.kind = final ? Parsed::Kind::kNone : Parsed::Kind::kIncomplete, .calls = {}};
  size_t at = SkipToolSpaces(text, 0);
  const auto skip = [&](std::string_view mark) {
    const MarkFound found = mark.empty() ? MarkFound::kNo : FindMarkAt(text, at, mark);
    if (found == MarkFound::kYes) at = SkipToolSpaces(text, at + mark.size());
    return found;
  };
  if (skip(begin_) == MarkFound::kMaybe) return unsettled;
  if (open_.empty()) {
    if (skip(kPythonTag) == MarkFound::kMaybe) return unsettled;
  } else if (const MarkFound found = skip(open_); found != MarkFound::kYes) {
    return found == MarkFound::kMaybe ? unsettled : Parsed{.kind = Parsed::Kind::kNone, .calls = {}};
  }
  if (at == text.size()) return unsettled;
  Parsed parsed = options_.syntax.shape == ToolSyntax::Shape::kNamed ? ParseNamed(text, at) : ParseObjects(text, at);
  if (parsed.kind == Parsed::Kind::kIncomplete) return unsettled;
  if (parsed.kind == Parsed::Kind::kCalls) ParseClose(text, final, parsed);
  return parsed;
}

FreeCallReader::Parsed FreeCallReader::ParseObjects(std::string_view text, size_t at) {
  Parsed parsed = {.kind = Parsed::Kind::kNone, .calls = {}};
  const std::optional<size_t> end = extent_.EndIn(text, at);
  if (!end) return parsed;
  if (*end == kNotThere) return {};
  const std::string_view json = text.substr(at, *end - at);
  if (json.starts_with('{')) {
    std::optional<Call> call = CallOf(json);
    if (!call) return parsed;
    parsed.calls.push_back(*std::move(call));
  } else {
    const Json list = ParseJsonOfStrangers(json);
    if (!list.is_array() || list.empty()) return parsed;
    for (const Json& item : list) {
      std::optional<Call> call = CallOf(item.dump(-1, ' ', false, Json::error_handler_t::replace));
      if (!call) return {.kind = Parsed::Kind::kNone, .calls = {}};
      parsed.calls.push_back(*std::move(call));
    }
  }
  parsed.kind = Parsed::Kind::kCalls;
  parsed.end = *end;
  return parsed;
}

FreeCallReader::Parsed FreeCallReader::ParseNamed(std::string_view text, size_t at) {
  const Parsed none = {.kind = Parsed::Kind::kNone, .calls = {}};
  const size_t separator = separator_.empty() ? text.find('{', at) : text.find(separator_, at);
  if (separator == kNotThere) return text.size() - at > kToolNameBytesMax + separator_.size() ? none : Parsed{};
  if (separator - at > kToolNameBytesMax) return none;
  std::string_view named = text.substr(at, separator - at);
  if (!before_id_.empty()) named = named.substr(0, named.find(before_id_));
  const std::string name(TrimmedToolText(named));
  if (!IsKnown(name)) return none;
  const size_t brace = SkipToolSpaces(text, separator + separator_.size());
  if (brace == text.size()) return {};
  const std::optional<size_t> end = extent_.EndIn(text, brace);
  if (!end) return none;
  if (*end == kNotThere) return {};
  const Json arguments = ParseJsonOfStrangers(text.substr(brace, *end - brace));
  if (!arguments.is_object()) return none;
  return {.kind = Parsed::Kind::kCalls, .calls = {{name, arguments.dump()}}, .end = *end};
}

FreeCallReader::Parsed FreeCallReader::ParseFields(bool final) {
  const std::string_view text = pending_;
  const Parsed none = {.kind = Parsed::Kind::kNone, .calls = {}};
  const Parsed unsettled = final ? none : Parsed{};
  size_t at = SkipToolSpaces(text, 0);
  const CallMark::Match begin = begin_mark_.At(text, at);
  if (begin.found == MarkFound::kMaybe) return unsettled;
  if (begin.found == MarkFound::kYes) at = SkipToolSpaces(text, begin.end);
  CallMark::Match open = open_mark_.At(text, at);
  // Models leave out what comes first, and begin with the mark before the name.
  if (open.found == MarkFound::kNo) open = name_mark_.At(text, at);
  if (open.found != MarkFound::kYes) return open.found == MarkFound::kMaybe ? unsettled : none;
  const FieldCall::State state = fields_.Read(text, open.end, final);
  if (state == FieldCall::State::kNone || (!fields_.name().empty() && !IsKnown(fields_.name()))) return none;
  if (state == FieldCall::State::kIncomplete) return unsettled;
  return {.kind = Parsed::Kind::kCalls, .calls = {CallOf(fields_)}, .end = fields_.end()};
}

void FreeCallReader::ParseClose(std::string_view text, bool final, Parsed& parsed) const {
  if (close_.empty()) return;
  const size_t at = SkipToolSpaces(text, parsed.end);
  const MarkFound found = FindMarkAt(text, at, close_);
  if (found == MarkFound::kYes) {
    parsed.end = at + close_.size();
  } else if (found == MarkFound::kMaybe && final) {
    parsed.end = text.size();
  } else if (found == MarkFound::kMaybe) {
    parsed.kind = Parsed::Kind::kIncomplete;
  }  // else the model forgot it, as models do
}

std::optional<FreeCallReader::Call> FreeCallReader::CallOf(std::string_view json) const {
  const Json parsed = ParseJsonOfStrangers(json);
  if (!parsed.is_object()) return std::nullopt;
  const auto function = parsed.find("function");
  const Json& call = function != parsed.end() && function->is_object() ? *function : parsed;
  const auto name = call.find(options_.syntax.name_key);
  if (name == call.end() || !name->is_string() || !IsKnown(name->get_ref<const std::string&>())) return std::nullopt;
  Json arguments = Json::object();
  bool given = false;
  // Models mix up the two usual keys.
  for (const std::string& key : {options_.syntax.arguments_key, std::string("arguments"), std::string("parameters")}) {
    const auto found = call.find(key);
    if (given || found == call.end()) continue;
    given = true;
    arguments = *found;
  }
  if (arguments.is_string()) {
    const std::string text(TrimmedToolText(arguments.get_ref<const std::string&>()));
    if (EndOfJson(text, 0) != text.size()) return std::nullopt;
    arguments = ParseJsonOfStrangers(text);
  }
  if (!given || !arguments.is_object()) return std::nullopt;
  return Call{name->get<std::string>(), arguments.dump(-1, ' ', false, Json::error_handler_t::replace)};
}

FreeCallReader::Call FreeCallReader::CallOf(const FieldCall& fields) const {
  const auto tool = static_cast<size_t>(std::find(options_.names.begin(), options_.names.end(), fields.name()) -
                                        options_.names.begin());
  const bool described = options_.schemas != nullptr && tool < options_.schemas->size();
  const Json none;
  const Json& schema = described ? (*options_.schemas)[tool] : none;
  Json arguments = Json::object();
  for (const FieldCall::Field& field : fields.fields()) {
    arguments[field.key] = ArgumentFromText(field.key, field.value, schema);
  }
  return Call{fields.name(), arguments.dump(-1, ' ', false, Json::error_handler_t::replace)};
}

bool FreeCallReader::IsKnown(std::string_view name) const {
  return std::find(options_.names.begin(), options_.names.end(), name) != options_.names.end();
}

}  // namespace enigma::engine
