#include "cli/evaluation/rate_text.h"

#include <absl/strings/str_format.h>

#include "base/utf8.h"

namespace enigma::cli {

std::string PercentText(double share) { return absl::StrFormat("%.1f %%", share * 100); }

std::string IntervalText(const eval::Interval& interval) {
  return absl::StrFormat("%.1f to %.1f %%", interval.low * 100, interval.high * 100);
}

Json IntervalJson(const eval::Interval& interval) { return Json::array({interval.low, interval.high}); }

std::string CellText(const std::string& text, size_t bytes_max) {
  constexpr std::string_view kMore = "...";
  std::string cell = text;
  for (char& c : cell) {
    if (static_cast<unsigned char>(c) < ' ') c = ' ';
  }
  if (cell.size() <= bytes_max) return cell;
  cell.resize(bytes_max - kMore.size());
  cell.resize(ValidUtf8Prefix(cell));
  return cell.append(kMore);
}

}  // namespace enigma::cli
