#include "engine/corpus/mistaken_format.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <set>

#include <absl/strings/str_cat.h>

#include "base/text.h"

namespace enigma::engine {
namespace {

constexpr size_t kBytesLookedAt = size_t{1} << 20;
constexpr uint64_t kQuestionsMin = 3;  // fewer may stand in any text
constexpr uint64_t kLabelsMin = 20;
constexpr size_t kLabelBytesMax = 40;
constexpr uint64_t kTextsPerLabelMin =
    5;  // a table of words and their meanings has a first column of its own each time

struct LineCounts {
  uint64_t filled = 0;
  uint64_t questions = 0;
  uint64_t answers = 0;
  uint64_t labelled = 0;
  std::set<std::string_view> labels;
};

bool IsLabel(std::string_view text) {
  return !text.empty() && text.size() <= kLabelBytesMax && text.find(' ') == std::string_view::npos;
}

LineCounts CountLines(std::string_view bytes) {
  LineCounts counts;
  while (!bytes.empty()) {
    const size_t end = std::min(bytes.find('\n'), bytes.size());
    const std::string_view line = bytes.substr(0, end);
    bytes.remove_prefix(std::min(end + 1, bytes.size()));
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    ++counts.filled;
    counts.questions += line.starts_with("Q:") ? 1 : 0;
    counts.answers += line.starts_with("A:") ? 1 : 0;
    const size_t tab = line.find('\t');
    if (tab == std::string_view::npos || !IsLabel(line.substr(0, tab))) continue;
    ++counts.labelled;
    counts.labels.insert(line.substr(0, tab));
  }
  return counts;
}

}  // namespace

std::optional<std::string> DoubtThatItIsText(std::string_view name, std::string_view bytes) {
  const LineCounts counts = CountLines(bytes.substr(0, kBytesLookedAt));
  if (counts.questions >= kQuestionsMin && counts.answers >= kQuestionsMin) {
    return absl::StrCat(ToAbsl(name), " was read as running text, because it does not begin with \"Q:\"; ",
                        counts.questions, " of its lines do: if it is questions and answers, leave out what stands ",
                        "before the first of them, or name the format \"qa\"");
  }
  const bool mostly = counts.labelled >= kLabelsMin && counts.labelled * 10 >= counts.filled * 9;
  if (mostly && counts.labels.size() * kTextsPerLabelMin <= counts.labelled) {
    return absl::StrCat(
        ToAbsl(name), " was read as running text, and its lines look like ", counts.labels.size(),
        " labels, each with a tab and a text behind it: to tell texts apart by label, train for the task "
        "\"router\"");
  }
  return std::nullopt;
}

}  // namespace enigma::engine
