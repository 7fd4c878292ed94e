#pragma once

#include <linux/filter.h>

#include <cstdint>
#include <string>
#include <vector>

namespace enigma::eval {

// What one confined process may use.
struct SandboxLimits {
  uint32_t wall_seconds = 20;          // generous: other work may hold the cores
  uint32_t cpu_seconds = 5;            // of its own computing
  uint64_t memory_bytes = 512u << 20;  // address space, the interpreter's included
  uint64_t file_bytes = 1u << 20;      // of one file, and of all in /tmp, the only folder that can be written
  uint32_t open_files = 32;
  uint64_t output_bytes = 64u << 10;  // of stdout and stderr together; then the process is ended
};

// Descriptors of the confined process beside 0 (its input), 1 and 2 (its output).
inline constexpr int kReportFd = 3;  // what it tells the caller
inline constexpr int kSetupFd = 4;   // until the program runs: what could not be set up

// A step of the way into the sandbox that failed, as the child writes it to kSetupFd.
struct SetupFailure {
  const char* step;  // a literal, so good in both processes
  int error;         // errno
};

// Everything that the child needs after it was cloned, made before: from then on it may call nothing but the kernel,
// because other threads of this process may have held any lock. Make it with Confine. It holds addresses of its own
// texts, which a move keeps.
struct Confinement {
  Confinement() = default;
  Confinement(Confinement&&) = default;
  Confinement& operator=(Confinement&&) = default;

  struct Bind {
    std::string source;  // below /old
    std::string target;
    bool is_folder = true;
  };
  struct Link {
    std::string target;
    std::string path;
  };
  std::vector<std::string> folders;  // to be made, outer ones first
  std::vector<Bind> binds;           // what is seen of the file system, read-only
  std::vector<Link> links;
  std::vector<std::string> arguments;
  std::vector<char*> argv;      // of `arguments`, ended with nullptr
  std::string scratch_options;  // of the tmpfs at /tmp
  std::vector<sock_filter> filter;
  SandboxLimits limits;
  bool changes_user = false;  // the caller is root, so the process becomes nobody
};

// `paths` is what the program `arguments[0]` needs to see; it is among them or inside one.
Confinement Confine(const std::vector<std::string>& paths, std::vector<std::string> arguments,
                    const SandboxLimits& limits);

// The ids that the process has in its own namespace, and outside too where the caller is root.
inline constexpr uint32_t kNobody = 65534;

// In the child, in its new namespaces and with its users mapped, its descriptors in their places: builds the file
// system, sets the limits, gives everything up and runs the program. Does not return: a failure is written to kSetupFd.
[[noreturn]] void EnterAndRun(const Confinement& confinement);

}  // namespace enigma::eval
