#include "cli/up/child_process.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include <absl/strings/str_cat.h>

namespace enigma::cli {

absl::StatusOr<ChildProcess> ChildProcess::Start(const std::vector<std::string>& argv) {
  // Everything that allocates happens before fork: another thread may hold the allocator's lock.
  std::vector<char*> arguments;
  for (const std::string& argument : argv) arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);
  sigset_t none;
  sigemptyset(&none);
  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid < 0) return absl::InternalError(absl::StrCat("cannot start ", argv[0], ": ", std::strerror(errno)));
  if (pid == 0) {
    ::setpgid(0, 0);
    ::prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (::getppid() != parent) ::_exit(1);  // the parent ended in between
    ::pthread_sigmask(SIG_SETMASK, &none, nullptr);
    ::execv(arguments[0], arguments.data());
    ::_exit(127);
  }
  return ChildProcess(pid);
}

std::string ChildProcess::PollEnd() {
  if (!running_) return end_;
  int status = 0;
  const pid_t ended = ::waitpid(pid_, &status, WNOHANG);
  if (ended == 0 || (ended < 0 && errno == EINTR)) return "";
  running_ = false;
  if (ended < 0) {
    end_ = "lost";
  } else if (WIFSIGNALED(status)) {
    end_ = absl::StrCat("killed by signal ", WTERMSIG(status), " (", ::strsignal(WTERMSIG(status)), ")");
  } else {
    end_ = absl::StrCat("exit status ", WEXITSTATUS(status));
  }
  return end_;
}

void ChildProcess::Signal(int signal) const {
  if (running_) ::kill(pid_, signal);
}

std::string OwnProgram() {
  std::error_code error;
  const auto path = std::filesystem::read_symlink("/proc/self/exe", error);
  return error ? "enigma" : path.string();
}

}  // namespace enigma::cli
