#pragma once

#include <string>
#include <vector>

#include <absl/status/status.h>

namespace enigma::cli {

// Parses the arguments and runs the command. Returns the exit status: 0 success, 1 failure, 2 wrong usage.
int RunCommandLine(int argc, char** argv);

// Only parses; the program's name is not among the arguments. The error says what is wrong with them.
absl::Status CheckCommandLine(const std::vector<std::string>& arguments);

}  // namespace enigma::cli
