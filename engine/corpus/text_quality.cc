#include "engine/corpus/text_quality.h"

#include <algorithm>

#include <absl/container/flat_hash_set.h>
#include <absl/strings/ascii.h>
#include <absl/strings/string_view.h>

#include "base/text.h"
#include "engine/corpus/line_source.h"

namespace enigma::engine {
namespace {

bool BeginsCharacter(char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }
bool IsAscii(char c) { return static_cast<unsigned char>(c) < 0x80; }
bool IsSpace(char c) { return absl::ascii_isspace(static_cast<unsigned char>(c)); }

struct CharacterCounts {
  size_t visible = 0;  // that are no white space
  size_t alphanumeric = 0;
  size_t beyond_ascii = 0;
  size_t words = 0;
};

CharacterCounts CountCharacters(std::string_view text) {
  CharacterCounts counts;
  bool in_word = false;
  for (const char c : text) {
    if (!BeginsCharacter(c)) continue;
    const bool visible = !IsSpace(c);
    counts.words += visible && !in_word ? 1 : 0;
    in_word = visible;
    counts.visible += visible ? 1 : 0;
    counts.beyond_ascii += IsAscii(c) ? 0 : 1;
    counts.alphanumeric += !IsAscii(c) || absl::ascii_isalnum(static_cast<unsigned char>(c)) ? 1 : 0;
  }
  return counts;
}

// Share of the bytes of all lines that are those of lines which stood before.
double RepeatedLinesShare(std::string_view text) {
  absl::flat_hash_set<absl::string_view> seen;
  size_t all = 0;
  size_t repeated = 0;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = TrimmedBlanks(text.substr(0, end));
    all += line.size();
    if (!seen.insert(ToAbsl(line)).second) repeated += line.size();
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return all == 0 ? 0 : static_cast<double>(repeated) / static_cast<double>(all);
}

}  // namespace

size_t CharactersIn(std::string_view text) {
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), BeginsCharacter));
}

std::optional<DropReason> JudgeQuality(std::string_view text, const FilterOptions& options) {
  const CharacterCounts counts = CountCharacters(text);
  if (counts.visible == 0 || CharactersIn(text) < options.quality_characters_min) return std::nullopt;
  const auto visible = static_cast<double>(counts.visible);
  if (static_cast<double>(counts.alphanumeric) < options.alphanumeric_share_min * visible) {
    return DropReason::kFewLetters;
  }
  if (counts.beyond_ascii * 2 < counts.visible) {
    const double length = visible / static_cast<double>(counts.words);
    if (length < options.word_length_min || length > options.word_length_max) return DropReason::kWordLength;
  }
  if (RepeatedLinesShare(text) > options.repeated_lines_share_max) return DropReason::kRepeatedLines;
  return std::nullopt;
}

}  // namespace enigma::engine
