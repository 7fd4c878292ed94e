#include "engine/text/tool_calls/json_extent.h"

namespace enigma::engine {

std::optional<size_t> JsonExtent::EndIn(std::string_view text, size_t begin) {
  if (begin >= text.size() || (text[begin] != '{' && text[begin] != '[')) return std::nullopt;
  if (begin != begin_) *this = JsonExtent();
  if (begin_ == std::string_view::npos) begin_ = next_ = begin;
  while (next_ < text.size()) {
    const char c = text[next_++];
    if (in_string_) {
      if (c == '"' && !escaped_) in_string_ = false;
      escaped_ = c == '\\' && !escaped_;
    } else if (c == '"') {
      in_string_ = true;
    } else if (c == '{' || c == '[') {
      if (++depth_ > kToolJsonDepthMax) {
        Reset();
        return std::nullopt;
      }
    } else if (c == '}' || c == ']') {
      if (--depth_ > 0) continue;
      Reset();
      return next_;
    }
  }
  return std::string_view::npos;
}

}  // namespace enigma::engine
