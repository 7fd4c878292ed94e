#include "engine/corpus/line_source.h"

#include <algorithm>

#include <absl/strings/str_cat.h>

#include "base/text.h"

namespace enigma::engine {
namespace {

constexpr std::string_view kBlanks = " \t\r\n\v\f";

}  // namespace

absl::Status ErrorAtLine(std::string_view name, uint64_t line, std::string_view message) {
  return absl::InvalidArgumentError(absl::StrCat(ToAbsl(name), ":", line, ": ", ToAbsl(message)));
}

bool IsBlank(std::string_view text) { return text.find_first_not_of(kBlanks) == std::string_view::npos; }

std::string_view TrimmedBlanks(std::string_view text) {
  const size_t begin = text.find_first_not_of(kBlanks);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlanks) + 1 - begin);
}

absl::StatusOr<bool> LineSource::Next(Line& line) {
  if (rest_.empty()) return false;
  ++number_;
  const size_t end = std::min(rest_.find('\n'), rest_.size());
  if (end > line_bytes_max_) {
    return ErrorAtLine(name_, number_,
                       ToStd(absl::StrCat("the line has ", end, " bytes; at most ", line_bytes_max_,
                                          " are read: break it into several")));
  }
  line.number = number_;
  line.text = rest_.substr(0, end);
  if (line.text.ends_with('\r')) line.text.remove_suffix(1);
  rest_.remove_prefix(std::min(end + 1, rest_.size()));
  return true;
}

}  // namespace enigma::engine
