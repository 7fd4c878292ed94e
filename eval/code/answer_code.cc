#include "eval/code/answer_code.h"

#include <algorithm>

namespace enigma::eval {
namespace {

// Where a line that begins with a fence begins, from `at` on; npos without one.
size_t FenceFrom(std::string_view text, std::string_view fence, size_t at) {
  while (true) {
    at = text.find(fence, at);
    if (at == std::string_view::npos) return at;
    const size_t line = at == 0 ? 0 : text.rfind('\n', at - 1) + 1;  // npos + 1 is 0
    if (text.substr(line, at - line).find_first_not_of(" \t") == std::string_view::npos) return at;
    at += fence.size();
  }
}

}  // namespace

std::string CodeInAnswer(std::string_view answer) {
  const size_t backticks = FenceFrom(answer, "```", 0);
  const size_t tildes = FenceFrom(answer, "~~~", 0);
  const size_t open = std::min(backticks, tildes);
  if (open == std::string_view::npos) {
    const size_t begin = answer.find_first_not_of(" \t\r\n");
    return begin == std::string_view::npos ? "" : std::string(answer.substr(begin));
  }
  const size_t line_end = answer.find('\n', open);
  if (line_end == std::string_view::npos) return "";
  const size_t close = FenceFrom(answer, answer.substr(open, 3), line_end + 1);
  return std::string(answer.substr(line_end + 1, close == std::string_view::npos ? close : close - line_end - 1));
}

}  // namespace enigma::eval
