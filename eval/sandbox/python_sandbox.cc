#include "eval/sandbox/python_sandbox.h"

#include <sys/wait.h>

#include <array>
#include <csignal>
#include <cstring>

#include <absl/strings/match.h>
#include <absl/strings/numbers.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_format.h>
#include <absl/strings/str_split.h>

#include "base/counter_random.h"
#include "base/status_macros.h"
#include "base/text.h"

namespace enigma::eval {
namespace {

// Reads "TOKEN\0code\0test\0test..." and writes the token, how it went and, in the next line, why to descriptor 3.
// The token tells its report from what the code writes there; a report without it counts for nothing.
constexpr char kRunner[] = R"py(
import os, sys

def main(write, leave):
    token, code, *tests = sys.stdin.buffer.read().decode().split("\0")

    def tell(kind, why=""):
        write(3, (token + " " + kind + "\n" + why[:1000]).encode("utf-8", "replace"))
        leave(0)

    names = {"__name__": "answer"}
    test = ""
    program = None
    try:
        program = compile(code, "answer", "exec")
        exec(program, names)
        for test in tests:
            exec(compile(test, "test", "exec"), names)
    except MemoryError:
        names = code = program = tests = None
        tell("memory")
    except BaseException as error:
        try:
            why = type(error).__name__ + (": " + str(error) if str(error) else "")
        except BaseException:
            why = "an error that cannot be shown"
        if program is None and isinstance(error, SyntaxError):
            tell("syntax", why)
        wrong = test and isinstance(error, AssertionError)
        if wrong and why == "AssertionError":
            why = test
        elif test:
            why = why + " (" + test + ")"
        tell("wrong" if wrong else "exception", why)
    tell("passed")

main(os.write, os._exit)
)py";

std::string NewToken() { return absl::StrFormat("%016x%016x", SystemRandom64(), SystemRandom64()); }

std::string SignalName(int signal) { return absl::StrCat("signal ", signal, " (", ::strsignal(signal), ")"); }

// How a process ended that did not report.
TestRun WithoutReport(const ProcessEnd& end, const SandboxLimits& limits) {
  if (end.too_much_output) {
    return {RunOutcome::kKilled, absl::StrCat("it printed more than ", limits.output_bytes, " bytes")};
  }
  if (end.out_of_time) {
    return {RunOutcome::kTimeout, absl::StrCat("it was not done after ", limits.wall_seconds, " s")};
  }
  // It may be the kernel's own limit that ended it, which nothing else tells from other SIGKILLs.
  const bool by_kernel = WIFSIGNALED(end.status) && WTERMSIG(end.status) == SIGKILL;
  if (end.computed_too_long || (by_kernel && end.cpu >= absl::Seconds(limits.cpu_seconds))) {
    return {RunOutcome::kTimeout, absl::StrCat("it computed for more than ", limits.cpu_seconds, " s")};
  }
  if (WIFSIGNALED(end.status)) {
    const int signal = WTERMSIG(end.status);
    if (signal == SIGSYS) {
      return {RunOutcome::kForbidden,
              "it asked the system for a process, a signal, the network or a change of the machine"};
    }
    return {RunOutcome::kKilled, absl::StrCat("it was ended by ", SignalName(signal))};
  }
  const std::string said = end.output.substr(0, 200);
  return {RunOutcome::kKilled, absl::StrCat("it ended with status ", WEXITSTATUS(end.status),
                                            " before its tests were done", said.empty() ? "" : ": ", said)};
}

TestRun Judge(const ProcessEnd& end, const std::string& token, const SandboxLimits& limits) {
  const std::vector<std::string> report = absl::StrSplit(end.report, absl::MaxSplits('\n', 1));
  const std::string_view verdict = report[0];
  const bool exited = WIFEXITED(end.status) && WEXITSTATUS(end.status) == 0;
  if (!exited || end.out_of_time || end.computed_too_long || end.too_much_output) return WithoutReport(end, limits);
  if (verdict == token + " passed") return {RunOutcome::kPassed, ""};
  if (verdict == token + " memory") {
    return {RunOutcome::kMemory, absl::StrCat("it wanted more than ", limits.memory_bytes >> 20, " MiB of memory")};
  }
  const std::string why = report.size() > 1 ? report[1] : "";
  if (verdict == token + " wrong") return {RunOutcome::kWrong, why};
  if (verdict == token + " exception") return {RunOutcome::kException, why};
  if (verdict == token + " syntax") return {RunOutcome::kSyntax, why};
  return WithoutReport(end, limits);
}

}  // namespace

std::string_view NameOf(RunOutcome outcome) {
  constexpr std::array<std::string_view, kRunOutcomes> kNames = {"passed",  "wrong_answer", "exception", "syntax",
                                                                 "timeout", "memory",       "killed",    "forbidden"};
  return kNames[static_cast<size_t>(outcome)];
}

absl::StatusOr<PythonSandbox> PythonSandbox::Create(const SandboxLimits& limits) {
  ENIGMA_ASSIGN_OR_RETURN(PythonInterpreter interpreter, PythonInterpreter::Find());
  std::vector<std::string> arguments = {interpreter.program, "-I", "-S", "-B", "-c", kRunner};
  Confinement confinement = Confine(interpreter.paths, std::move(arguments), limits);
  PythonSandbox sandbox(std::move(interpreter), std::move(confinement), limits);
  ENIGMA_ASSIGN_OR_RETURN(const TestRun first, sandbox.Run("import math", {"assert math.gcd(4, 6) == 2"}));
  if (first.outcome != RunOutcome::kPassed) {
    return absl::FailedPreconditionError(absl::StrCat("Python ", sandbox.interpreter_.version, " (",
                                                      sandbox.interpreter_.program,
                                                      ") does not run in the sandbox: ", first.detail));
  }
  return sandbox;
}

absl::StatusOr<TestRun> PythonSandbox::Run(std::string_view code, const std::vector<std::string>& tests) const {
  // What follows it would be read as a test.
  if (code.find('\0') != std::string_view::npos) return TestRun{RunOutcome::kSyntax, "the code has a NUL character"};
  const std::string token = NewToken();
  std::string input = token;
  input.append(1, '\0').append(code);
  for (const std::string& test : tests) input.append(1, '\0').append(test);
  ENIGMA_ASSIGN_OR_RETURN(const ProcessEnd end, RunConfined(confinement_, input));
  return Judge(end, token, limits_);
}

}  // namespace enigma::eval
