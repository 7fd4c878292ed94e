#pragma once

#include <cstddef>
#include <string>

#include "cli/output/format.h"
#include "eval/wilson_interval.h"

namespace enigma::cli {

std::string PercentText(double share);                     // "84.8 %"
std::string IntervalText(const eval::Interval& interval);  // "77.8 to 90.0 %"
Json IntervalJson(const eval::Interval& interval);         // [0.778, 0.9]

// A text in one line of at most `bytes_max` bytes, for a cell of a table: line ends become spaces, what is too long
// ends with "...".
std::string CellText(const std::string& text, size_t bytes_max);

}  // namespace enigma::cli
