#pragma once

#include <cstdio>

#include "cli/output/format.h"

namespace enigma::cli {

// To standard output: the report's ToJson or its ToText.
template <typename Report>
void PrintReport(const Report& report, bool json) {
  if (json) {
    PrintJson(ToJson(report));
  } else {
    std::fputs(ToText(report).c_str(), stdout);
  }
}

}  // namespace enigma::cli
