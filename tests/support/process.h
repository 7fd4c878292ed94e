#pragma once

#include <sys/types.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace enigma::testing {

// A child process whose output lands in files under `directory`. Killed with its whole group when the object goes.
class Process {
 public:
  struct Options {
    std::vector<std::string> argv;
    std::string directory;                      // where its stdout and stderr files go; must exist
    std::string label;                          // names those files
    std::vector<std::string> environment = {};  // NAME=value, beside the inherited ones
  };
  static std::unique_ptr<Process> Start(Options options);
  ~Process();

  void Signal(int signal);
  // Exit status (128 + signal when killed by one); empty when it still runs after `timeout`.
  std::optional<int> Wait(std::chrono::milliseconds timeout);
  bool Running();
  std::string Stdout() const;
  std::string Stderr() const;
  // Whether `text` appears in stdout or stderr within `timeout`; gives up early when the process has ended.
  bool WaitForOutput(const std::string& text, std::chrono::milliseconds timeout);
  pid_t pid() const { return pid_; }

 private:
  Process() = default;
  pid_t pid_ = -1;
  std::optional<int> status_;
  std::string stdout_path_;
  std::string stderr_path_;
};

struct RunResult {
  int status = -1;  // -1: still running after the timeout, and killed
  std::string out;
  std::string err;
};
// Runs to the end.
RunResult RunCommand(std::vector<std::string> argv, std::chrono::milliseconds timeout = std::chrono::seconds(120),
                     std::vector<std::string> environment = {});

// A directory under the system's temporary one, removed with its contents when the object goes.
class TemporaryDirectory {
 public:
  TemporaryDirectory();
  ~TemporaryDirectory();
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace enigma::testing
