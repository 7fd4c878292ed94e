#include "tests/unit/cli/run_enigma.h"

#include <gtest/gtest.h>

#include "cli/command_line.h"

namespace enigma::cli {

Outcome RunEnigma(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), "enigma");
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  ::testing::internal::CaptureStdout();
  ::testing::internal::CaptureStderr();
  Outcome outcome;
  outcome.status = RunCommandLine(static_cast<int>(argv.size()), argv.data());
  outcome.out = ::testing::internal::GetCapturedStdout();
  outcome.err = ::testing::internal::GetCapturedStderr();
  return outcome;
}

}  // namespace enigma::cli
