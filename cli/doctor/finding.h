#pragma once

#include <string>
#include <vector>

namespace enigma::cli {

enum class Verdict {
  kFine,
  kNote,     // worth knowing; nothing is broken
  kProblem,  // something will not work: exit status 1
};

// One thing that `enigma doctor` looked at.
struct Finding {
  std::string topic;  // "ports", "interfaces", ...
  Verdict verdict = Verdict::kFine;
  std::string detail;  // what was seen
  std::string advice;  // what to do about it; empty where nothing is to be done
};

using Findings = std::vector<Finding>;

}  // namespace enigma::cli
