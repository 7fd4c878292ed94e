#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <absl/status/statusor.h>

#include "eval/sandbox/confined_process.h"
#include "eval/sandbox/python_interpreter.h"

namespace enigma::eval {

enum class RunOutcome {
  kPassed,
  kWrong,      // a test does not hold
  kException,  // the code, or what a test calls, raises an error
  kSyntax,     // it is no Python
  kTimeout,    // it ran too long
  kMemory,     // it wanted more memory than there is for it
  kKilled,     // it crashed, ended itself, or printed without end
  kForbidden,  // it tried to start or signal a process, to use the network, or to change the machine
};
inline constexpr size_t kRunOutcomes = 8;
std::string_view NameOf(RunOutcome outcome);  // "wrong_answer"

struct TestRun {
  RunOutcome outcome = RunOutcome::kKilled;
  std::string detail;  // which test, which error; empty when passed
};

// Runs Python code that nobody has read against tests: in namespaces of its own as nobody, without network, without
// other processes, without this process's environment or files, with the interpreter's library as all that it sees.
// What it cannot do is prove the verdict against code written to fool it: code and tests share an interpreter.
// Thread-safe.
class PythonSandbox {
 public:
  // NotFound without python3; FailedPrecondition where the machine allows no sandbox, as a first run shows.
  static absl::StatusOr<PythonSandbox> Create(const SandboxLimits& limits = {});

  // The code is run, then each of the tests, statements such as "assert f(2) == 4", until one does not hold.
  absl::StatusOr<TestRun> Run(std::string_view code, const std::vector<std::string>& tests) const;

  const PythonInterpreter& interpreter() const { return interpreter_; }

 private:
  PythonSandbox(PythonInterpreter interpreter, Confinement confinement, const SandboxLimits& limits)
      : interpreter_(std::move(interpreter)), confinement_(std::move(confinement)), limits_(limits) {}

  PythonInterpreter interpreter_;
  Confinement confinement_;
  SandboxLimits limits_;
};

}  // namespace enigma::eval
