#pragma once

#include <string>
#include <vector>

namespace enigma::cli {

struct Outcome {
  int status = 0;
  std::string out;
  std::string err;
};

// Runs a command in this process.
Outcome RunEnigma(std::vector<std::string> arguments);

}  // namespace enigma::cli
