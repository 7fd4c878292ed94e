#include "eval/captions/caption_score.h"

#include <algorithm>
#include <string_view>

namespace enigma::eval {
namespace {

std::string_view LastWord(std::string_view text) {
  const size_t end = text.find_last_not_of(' ');
  if (end == std::string_view::npos) return {};
  const size_t space = text.find_last_of(' ', end);
  const size_t begin = space == std::string_view::npos ? 0 : space + 1;
  return text.substr(begin, end + 1 - begin);
}

}  // namespace

void CaptionScore::Add(const std::string& image, const std::string& said, const std::vector<std::string>& captions) {
  ++pictures;
  const std::string_view word = LastWord(said);
  const bool is_noun = !word.empty() && std::any_of(captions.begin(), captions.end(), [&](const std::string& caption) {
    return LastWord(caption) == word;
  });
  last_words += is_noun ? 1 : 0;
  if (std::find(captions.begin(), captions.end(), said) != captions.end()) {
    ++exact;
  } else if (wrong.size() < kWrongCaptionsMax) {
    wrong.push_back({image, said, captions.front()});
  }
}

}  // namespace enigma::eval
