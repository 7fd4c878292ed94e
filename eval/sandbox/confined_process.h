#pragma once

#include <string>
#include <string_view>

#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include "eval/sandbox/confinement.h"

namespace enigma::eval {

// How a confined process ended. By then it and everything it may have started are gone.
struct ProcessEnd {
  int status = 0;  // as waitpid gives it
  bool out_of_time = false;
  bool computed_too_long = false;
  bool too_much_output = false;
  absl::Duration cpu;
  std::string output;  // stdout and stderr, mixed as they came
  std::string report;  // what it wrote to kReportFd; kReportBytesMax of it end the process
};
inline constexpr size_t kReportBytesMax = 4096;

// Runs a program in user, mount, pid, network, ipc, uts and cgroup namespaces of its own, as Confine prepared it, with
// `input` to read, until it ends or a limit ends it. FailedPrecondition, which says what to do, where the kernel does
// not allow this: a program is never run otherwise. Thread-safe.
absl::StatusOr<ProcessEnd> RunConfined(const Confinement& confinement, std::string_view input);

}  // namespace enigma::eval
