#include "engine/text/tool_calls/field_call.h"

#include <algorithm>
#include <utility>

namespace enigma::engine {
namespace {

std::string LeadingSpace(std::string_view mark) { return std::string(mark.substr(0, SkipToolSpaces(mark, 0))); }

std::string TrailingSpace(std::string_view mark) {
  const size_t last = mark.find_last_not_of(kToolSpaces);
  return std::string(last == std::string_view::npos ? std::string_view() : mark.substr(last + 1));
}

// Of a mark that ends a name which begins at `begin`: nothing where the name is too long, however it came.
MarkFound Bounded(const CallMark::Match& match, size_t begin) {
  return match.begin - begin > kToolNameBytesMax ? MarkFound::kNo : match.found;
}

}  // namespace

FieldCall::FieldCall(const ToolSyntax& syntax)
    : name_close_(syntax.separator),
      key_open_(syntax.key_open),
      key_close_(syntax.key_close),
      value_close_(syntax.value_close),
      close_(syntax.close),
      space_before_value_(TrailingSpace(syntax.key_close)),
      space_behind_value_(LeadingSpace(syntax.value_close)) {}

void FieldCall::Reset() {
  phase_ = Phase::kName;
  name_.clear();
  fields_.clear();
}

FieldCall::State FieldCall::Read(std::string_view text, size_t begin, bool final) {
  while (phase_ != Phase::kDone) {
    MarkFound found = MarkFound::kNo;
    switch (phase_) {
      case Phase::kName:
        found = ReadName(text, begin);
        break;
      case Phase::kKey:
        found = ReadKey(text);
        break;
      case Phase::kValue:
        found = ReadValue(text);
        break;
      case Phase::kBehindName:
      case Phase::kBehindValue:
        found = ReadBehind(text, final);
        break;
      case Phase::kDone:
        break;
    }
    if (found == MarkFound::kNo || (found == MarkFound::kMaybe && final)) return State::kNone;
    if (found == MarkFound::kMaybe) return State::kIncomplete;
  }
  return State::kWhole;
}

MarkFound FieldCall::ReadName(std::string_view text, size_t begin) {
  CallMark::Match match;
  if (!name_close_.empty()) {
    match = name_close_.In(text, begin);
    next_ = match.end;
  } else {
    // What stands behind the name ends it, and is read again as what it is.
    const CallMark::Match key = key_open_.In(text, begin);
    const CallMark::Match close = CallMark(close_.words().front()).In(text, begin);
    match = key.begin < close.begin ? key : close;
    next_ = match.begin;
  }
  const MarkFound found = Bounded(match, begin);
  if (found != MarkFound::kYes) return found;
  name_ = TrimmedToolText(text.substr(begin, match.begin - begin));
  phase_ = Phase::kBehindName;
  return name_.empty() ? MarkFound::kNo : MarkFound::kYes;
}

MarkFound FieldCall::ReadBehind(std::string_view text, bool final) {
  next_ = SkipToolSpaces(text, next_);
  const CallMark::Match key = key_open_.At(text, next_);
  const CallMark::Match close = CloseAt(text, next_, final && key.found == MarkFound::kNo);
  const bool settled = key.found == MarkFound::kYes || close.found == MarkFound::kYes;
  const bool open = key.found == MarkFound::kMaybe || close.found == MarkFound::kMaybe;
  if (!settled && open && !final) return MarkFound::kMaybe;
  if (!settled) {
    if (phase_ == Phase::kBehindName) return MarkFound::kNo;
    next_ = value_end_ + 1;
    phase_ = Phase::kValue;
    return MarkFound::kYes;
  }
  if (phase_ == Phase::kBehindValue) {
    if (fields_.size() == kFieldsMax) return MarkFound::kNo;
    Keep(text);
  }
  if (key.found == MarkFound::kYes) {
    next_ = key.end;
    phase_ = Phase::kKey;
  } else {
    end_ = close.end;
    phase_ = Phase::kDone;
  }
  return MarkFound::kYes;
}

MarkFound FieldCall::ReadKey(std::string_view text) {
  const CallMark::Match match = key_close_.In(text, next_);
  const MarkFound found = Bounded(match, next_);
  if (found != MarkFound::kYes) return found;
  key_ = TrimmedToolText(text.substr(next_, match.begin - next_));
  next_ = value_begin_ = match.end;
  phase_ = Phase::kValue;
  return key_.empty() ? MarkFound::kNo : MarkFound::kYes;
}

MarkFound FieldCall::ReadValue(std::string_view text) {
  const CallMark::Match match = value_close_.In(text, next_);
  if (match.found != MarkFound::kYes) {
    next_ = match.begin;
    return match.found;
  }
  value_end_ = match.begin;
  next_ = match.end;
  phase_ = Phase::kBehindValue;
  return MarkFound::kYes;
}

CallMark::Match FieldCall::CloseAt(std::string_view text, size_t at, bool final) const {
  CallMark::Match match = {.found = MarkFound::kYes, .begin = at, .end = at};
  for (const std::string& word : close_.words()) {
    const bool first = &word == close_.words().data();
    const size_t begin = first ? at : SkipToolSpaces(text, match.end);
    const MarkFound found = FindMarkAt(text, begin, word);
    if (found == MarkFound::kYes) {
      match.end = begin + word.size();
    } else if (found == MarkFound::kMaybe && !final) {
      match.found = MarkFound::kMaybe;
      break;
    } else {
      if (found == MarkFound::kMaybe && begin < text.size()) match.end = text.size();
      if (first && match.end == at) match.found = MarkFound::kNo;
      break;
    }
  }
  return match;
}

void FieldCall::Keep(std::string_view text) {
  std::string_view value = text.substr(value_begin_, value_end_ - value_begin_);
  if (value.starts_with(space_before_value_)) value.remove_prefix(space_before_value_.size());
  if (value.ends_with(space_behind_value_)) value.remove_suffix(space_behind_value_.size());
  fields_.push_back({std::exchange(key_, {}), std::string(value)});
}

}  // namespace enigma::engine
