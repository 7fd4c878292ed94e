#include "engine/text/tool_calls/call_mark.h"

#include <algorithm>

namespace enigma::engine {

std::string_view TrimmedToolText(std::string_view text) {
  const size_t first = text.find_first_not_of(kToolSpaces);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kToolSpaces) + 1 - first);
}

size_t SkipToolSpaces(std::string_view text, size_t at) {
  return std::min(text.find_first_not_of(kToolSpaces, at), text.size());
}

MarkFound FindMarkAt(std::string_view text, size_t at, std::string_view mark) {
  const std::string_view rest = text.substr(at);
  if (rest.starts_with(mark)) return MarkFound::kYes;
  return mark.starts_with(rest) ? MarkFound::kMaybe : MarkFound::kNo;
}

CallMark::CallMark(std::string_view mark) {
  for (size_t at = SkipToolSpaces(mark, 0); at < mark.size(); at = SkipToolSpaces(mark, at)) {
    const size_t end = std::min(mark.find_first_of(kToolSpaces, at), mark.size());
    words_.emplace_back(mark.substr(at, end - at));
    at = end;
  }
}

CallMark::Match CallMark::At(std::string_view text, size_t at) const {
  Match match = {.found = MarkFound::kYes, .begin = at, .end = at};
  for (const std::string& word : words_) {
    const size_t begin = &word == words_.data() ? at : SkipToolSpaces(text, match.end);
    match.found = FindMarkAt(text, begin, word);
    if (match.found != MarkFound::kYes) return match;
    match.end = begin + word.size();
  }
  return match;
}

CallMark::Match CallMark::In(std::string_view text, size_t at) const {
  const std::string& first = words_.front();
  for (size_t begin = text.find(first, at); begin != std::string_view::npos; begin = text.find(first, begin + 1)) {
    const Match match = At(text, begin);
    if (match.found != MarkFound::kNo) return match;
  }
  const size_t tail = text.size() < first.size() ? 0 : text.size() + 1 - first.size();
  return {.found = MarkFound::kMaybe, .begin = std::max(at, tail), .end = 0};
}

}  // namespace enigma::engine
