#include "engine/sampling/score_windows.h"

#include <algorithm>

#include <absl/strings/str_cat.h>

namespace enigma::engine {

absl::StatusOr<std::vector<ScoreWindow>> ScoreWindows(uint64_t tokens, uint32_t context, uint32_t stride,
                                                      bool has_begin) {
  if (stride < 1 || stride > context) {
    return absl::InvalidArgumentError(
        absl::StrCat("a stride of ", stride, " tokens does not fit a window of ", context, "; it is 1 to that"));
  }
  // What is read before the first scored id of a window, and is no begin token, has an id of the text for its last.
  const uint64_t before = has_begin ? 0 : 1;
  if (tokens <= before) {
    return absl::InvalidArgumentError(absl::StrCat("the text has ", tokens, " token(s)",
                                                   has_begin ? "" : ", and none stands before its first one",
                                                   ": there is nothing to score"));
  }
  std::vector<ScoreWindow> windows;
  windows.push_back({.first = 0, .scored = before, .end = std::min(tokens, before + context)});
  while (windows.back().end < tokens) {
    const uint64_t scored = windows.back().end;
    windows.push_back(
        {.first = scored - before - (context - stride), .scored = scored, .end = std::min(tokens, scored + stride)});
  }
  return windows;
}

}  // namespace enigma::engine
