#include "tests/support/process.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

namespace enigma::testing {
namespace {

std::string Slurp(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

void RedirectTo(const std::string& path, int descriptor) {
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0 || dup2(fd, descriptor) < 0) _exit(126);
}

int StatusOf(int raw) { return WIFEXITED(raw) ? WEXITSTATUS(raw) : 128 + WTERMSIG(raw); }

}  // namespace

std::unique_ptr<Process> Process::Start(Options options) {
  auto process = std::unique_ptr<Process>(new Process);
  process->stdout_path_ = options.directory + "/" + options.label + ".out";
  process->stderr_path_ = options.directory + "/" + options.label + ".err";
  std::vector<char*> argv;
  for (auto& argument : options.argv) argv.push_back(argument.data());
  argv.push_back(nullptr);
  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid == 0) {
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(126);
    RedirectTo("/dev/null", STDOUT_FILENO);
    const int null_in = open("/dev/null", O_RDONLY);
    dup2(null_in, STDIN_FILENO);
    RedirectTo(process->stdout_path_, STDOUT_FILENO);
    RedirectTo(process->stderr_path_, STDERR_FILENO);
    // The models that come with the program are in a test that asks for them, with --models-dir.
    setenv("ENIGMA_NO_DEFAULT_MODELS", "true", /*overwrite=*/1);
    for (auto& entry : options.environment) putenv(entry.data());
    execvp(argv[0], argv.data());
    std::fprintf(stderr, "exec %s: %s\n", argv[0], std::strerror(errno));
    _exit(127);
  }
  setpgid(pid, pid);
  process->pid_ = pid;
  return process;
}

Process::~Process() {
  if (Running()) {
    kill(-pid_, SIGKILL);
    kill(pid_, SIGKILL);
    Wait(std::chrono::seconds(10));
  } else {
    kill(-pid_, SIGKILL);  // grandchildren that outlived it
  }
}

void Process::Signal(int signal) { kill(pid_, signal); }

std::optional<int> Process::Wait(std::chrono::milliseconds timeout) {
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  while (!status_) {
    int raw = 0;
    const pid_t got = waitpid(pid_, &raw, WNOHANG);
    if (got == pid_) {
      status_ = StatusOf(raw);
    } else if (std::chrono::steady_clock::now() >= deadline) {
      return std::nullopt;
    } else {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  }
  return status_;
}

bool Process::Running() { return !Wait(std::chrono::milliseconds(0)).has_value(); }
std::string Process::Stdout() const { return Slurp(stdout_path_); }
std::string Process::Stderr() const { return Slurp(stderr_path_); }

bool Process::WaitForOutput(const std::string& text, std::chrono::milliseconds timeout) {
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  while (true) {
    const bool running = Running();
    if (Stdout().find(text) != std::string::npos || Stderr().find(text) != std::string::npos) return true;
    if (!running || std::chrono::steady_clock::now() >= deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
}

RunResult RunCommand(std::vector<std::string> argv, std::chrono::milliseconds timeout,
                     std::vector<std::string> environment) {
  TemporaryDirectory directory;
  auto process = Process::Start(
      {.argv = std::move(argv), .directory = directory.path(), .label = "run", .environment = std::move(environment)});
  const auto status = process->Wait(timeout);
  RunResult result{status.value_or(-1), process->Stdout(), process->Stderr()};
  return result;
}

TemporaryDirectory::TemporaryDirectory() {
  const char* base = std::getenv("TMPDIR");
  std::string pattern = std::string(base != nullptr ? base : "/tmp") + "/enigma-test-XXXXXX";
  if (mkdtemp(pattern.data()) == nullptr) {
    std::perror("mkdtemp");
    std::abort();
  }
  path_ = pattern;
}

TemporaryDirectory::~TemporaryDirectory() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace enigma::testing
