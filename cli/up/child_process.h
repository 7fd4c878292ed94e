#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include <absl/status/statusor.h>

namespace enigma::cli {

// A process that dies with this one: the kernel sends it SIGTERM when the thread that started it ends, so start
// children from the main thread. It has a process group of its own, so Ctrl-C reaches only the parent, which then stops
// its children in order. Its output goes where this process's does.
class ChildProcess {
 public:
  // `argv[0]` is the path of the program.
  static absl::StatusOr<ChildProcess> Start(const std::vector<std::string>& argv);

  pid_t pid() const { return pid_; }
  bool running() const { return running_; }
  // Looks, without waiting, whether the child has ended. "exit status 1", "killed by signal 9"; empty while it runs.
  std::string PollEnd();
  void Signal(int signal) const;  // nothing when it has ended

 private:
  explicit ChildProcess(pid_t pid) : pid_(pid) {}
  pid_t pid_;
  bool running_ = true;
  std::string end_;
};

// Path of the running program.
std::string OwnProgram();

}  // namespace enigma::cli
