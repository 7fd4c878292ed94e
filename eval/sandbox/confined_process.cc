#include "eval/sandbox/confined_process.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include <absl/strings/str_cat.h>

#include "base/clock.h"
#include "base/status_macros.h"
#include "base/text.h"

namespace enigma::eval {
namespace {

constexpr uint64_t kNamespaces =
    CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP;

// A descriptor, closed when it goes.
class Descriptor {
 public:
  explicit Descriptor(int fd = -1) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Descriptor() { Close(); }
  void Close() {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  }
  int get() const { return fd_; }

 private:
  int fd_;
};

absl::Status NotPossible(std::string_view what, int error) {
  return absl::FailedPreconditionError(absl::StrCat(
      "the sandbox cannot be set up: ", ToAbsl(what), ": ", std::strerror(error),
      ". It needs user namespaces and Linux 5.12 (sysctl user.max_user_namespaces, kernel.unprivileged_userns_clone, "
      "kernel.apparmor_restrict_unprivileged_userns; in a container its security profile); generated code is not run "
      "without it"));
}

absl::Status OutOfDescriptors() {
  return absl::ResourceExhaustedError(absl::StrCat("the sandbox gets no pipe: ", std::strerror(errno)));
}

struct Pipe {
  Descriptor read, write;
};

// Numbers from 10 on, so that none is in the way of those that the child gets.
absl::Status OpenPipe(Pipe& pipe) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return OutOfDescriptors();
  const Descriptor low_read(ends[0]), low_write(ends[1]);
  pipe.read = Descriptor(::fcntl(ends[0], F_DUPFD_CLOEXEC, 10));
  pipe.write = Descriptor(::fcntl(ends[1], F_DUPFD_CLOEXEC, 10));
  return pipe.read.get() < 0 || pipe.write.get() < 0 ? OutOfDescriptors() : absl::OkStatus();
}

absl::StatusOr<Descriptor> InputFile(std::string_view input) {
  const Descriptor low(::memfd_create("input", MFD_CLOEXEC));
  Descriptor file(::fcntl(low.get(), F_DUPFD_CLOEXEC, 10));
  if (file.get() < 0) return OutOfDescriptors();
  while (!input.empty()) {
    const ssize_t written = ::write(file.get(), input.data(), input.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return absl::ResourceExhaustedError("the sandbox gets no memory for its input");
    input.remove_prefix(static_cast<size_t>(written));
  }
  ::lseek(file.get(), 0, SEEK_SET);
  return file;
}

struct Channels {
  Descriptor input;
  Pipe output, report, setup;
  Pipe mapped;  // the child waits for its end: its users are mapped
};

absl::StatusOr<Channels> OpenChannels(std::string_view input) {
  Channels channels;
  ENIGMA_ASSIGN_OR_RETURN(channels.input, InputFile(input));
  for (Pipe* pipe : {&channels.output, &channels.report, &channels.setup, &channels.mapped}) {
    ENIGMA_RETURN_IF_ERROR(OpenPipe(*pipe));
  }
  return channels;
}

// In the child. Nothing but calls of the kernel: see Confinement.
[[noreturn]] void RunChild(const Confinement& confinement, const Channels& channels) {
  ::close(channels.mapped.write.get());
  char go = 0;
  if (::read(channels.mapped.read.get(), &go, 1) != 1) ::_exit(1);  // the caller gave up
  const std::array<int, 5> places = {channels.input.get(), channels.output.write.get(), channels.output.write.get(),
                                     channels.report.write.get(), channels.setup.write.get()};
  for (int place = 0; place < static_cast<int>(places.size()); ++place) {
    if (::dup2(places[static_cast<size_t>(place)], place) < 0) ::_exit(1);
  }
  ::fcntl(kSetupFd, F_SETFD, FD_CLOEXEC);
  EnterAndRun(confinement);
}

absl::Status WriteTo(const std::string& path, const std::string& text) {
  const Descriptor file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (file.get() < 0 || ::write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
    return NotPossible(absl::StrCat("write ", path), errno);
  }
  return absl::OkStatus();
}

// The caller's own user becomes nobody inside. Root is mapped so that the child can become a nobody outside, too.
absl::Status MapUsers(pid_t child, bool is_root) {
  const std::string folder = absl::StrCat("/proc/", child, "/");
  if (is_root) {
    const std::string both = absl::StrCat("0 0 1\n", kNobody, " ", kNobody, " 1\n");
    ENIGMA_RETURN_IF_ERROR(WriteTo(folder + "uid_map", both));
    return WriteTo(folder + "gid_map", both);
  }
  ENIGMA_RETURN_IF_ERROR(WriteTo(folder + "setgroups", "deny"));
  ENIGMA_RETURN_IF_ERROR(WriteTo(folder + "uid_map", absl::StrCat(kNobody, " ", ::geteuid(), " 1\n")));
  return WriteTo(folder + "gid_map", absl::StrCat(kNobody, " ", ::getegid(), " 1\n"));
}

// The first process of its pid namespace: when it ends, the kernel ends all others in there.
class Child {
 public:
  explicit Child(pid_t pid) : pid_(pid) {}
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() {
    if (!waited_) {
      Kill();
      rusage usage;
      Wait(usage);
    }
  }
  pid_t pid() const { return pid_; }
  void Kill() const { ::kill(pid_, SIGKILL); }
  int Wait(rusage& usage) {
    int status = 0;
    while (::wait4(pid_, &status, 0, &usage) < 0 && errno == EINTR) {
    }
    waited_ = true;
    return status;
  }

 private:
  const pid_t pid_;
  bool waited_ = false;
};

// Takes what there is, at most up to `bytes_max` altogether. False at the end, or when that much is there.
bool Take(int fd, size_t bytes_max, std::string& text) {
  char buffer[4096];
  const ssize_t got = ::read(fd, buffer, sizeof buffer);
  if (got < 0) return errno == EINTR;
  text.append(buffer, std::min(static_cast<size_t>(got), bytes_max - text.size()));
  return got > 0 && text.size() < bytes_max;
}

constexpr absl::Duration kLookAtCpuEvery = absl::Milliseconds(100);

// What the process has computed so far, as precisely as the scheduler knows; nothing once it has ended.
absl::Duration CpuOf(pid_t pid) {
  clockid_t clock = 0;
  timespec time = {};
  if (::clock_getcpuclockid(pid, &clock) != 0 || ::clock_gettime(clock, &time) != 0) return absl::ZeroDuration();
  return absl::DurationFromTimespec(time);
}

// Reads what the process writes until it has ended, or a limit is reached. It may close its pipes and go on, so its end
// is told by `process`, a pidfd. Its computing is watched here, since the kernel's own limit ends it with the signal
// that anything may have sent, and reckons by ticks.
void Follow(const Channels& channels, const Descriptor& process, const SandboxLimits& limits, const Child& child,
            std::string& setup, ProcessEnd& end) {
  const Clock& clock = Clock::System();
  const absl::Duration deadline = clock.Monotonic() + absl::Seconds(limits.wall_seconds);
  std::array<pollfd, 4> watched = {pollfd{channels.output.read.get(), POLLIN, 0},
                                   pollfd{channels.report.read.get(), POLLIN, 0},
                                   pollfd{channels.setup.read.get(), POLLIN, 0}, pollfd{process.get(), POLLIN, 0}};
  const std::array<std::pair<std::string*, size_t>, 3> texts = {
      std::pair{&end.output, limits.output_bytes}, {&end.report, kReportBytesMax}, {&setup, sizeof(SetupFailure)}};
  const auto is_open = [](const pollfd& one) { return one.fd >= 0; };
  while (std::any_of(watched.begin(), watched.end(), is_open)) {
    const int64_t left_ms = absl::ToInt64Milliseconds(deadline - clock.Monotonic());
    end.out_of_time = left_ms <= 0;
    if (end.out_of_time) return child.Kill();
    end.computed_too_long = CpuOf(child.pid()) >= absl::Seconds(limits.cpu_seconds);
    if (end.computed_too_long) return child.Kill();
    const auto wait_ms = static_cast<int>(std::min(left_ms + 1, absl::ToInt64Milliseconds(kLookAtCpuEvery)));
    if (::poll(watched.data(), watched.size(), wait_ms) < 0) {
      if (errno == EINTR) continue;
      return child.Kill();
    }
    if (watched.back().revents != 0) watched.back().fd = -1;
    for (size_t i = 0; i < texts.size(); ++i) {
      if (!is_open(watched[i]) || watched[i].revents == 0) continue;
      if (Take(watched[i].fd, texts[i].second, *texts[i].first)) continue;
      watched[i].fd = -1;
      end.too_much_output = end.output.size() >= limits.output_bytes;
      if (end.too_much_output || end.report.size() >= kReportBytesMax) return child.Kill();
    }
  }
}

// Signals are blocked in between, so that no handler of this process runs in the child.
pid_t Clone(const Confinement& confinement, const Channels& channels) {
  sigset_t all, before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  // The call itself: fork() of the library would take locks, and clone() a stack.
  const auto pid = static_cast<pid_t>(::syscall(SYS_clone, kNamespaces | SIGCHLD, nullptr, nullptr, nullptr, nullptr));
  if (pid == 0) RunChild(confinement, channels);
  const int error = errno;
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  errno = error;
  return pid;
}

}  // namespace

absl::StatusOr<ProcessEnd> RunConfined(const Confinement& confinement, std::string_view input) {
  ENIGMA_ASSIGN_OR_RETURN(Channels channels, OpenChannels(input));
  const pid_t pid = Clone(confinement, channels);
  if (pid < 0) return NotPossible("make the namespaces", errno);
  Child child(pid);
  for (Pipe* pipe : {&channels.output, &channels.report, &channels.setup}) pipe->write.Close();
  ENIGMA_RETURN_IF_ERROR(MapUsers(pid, confinement.changes_user));
  const Descriptor process(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (process.get() < 0) return NotPossible("watch the process", errno);
  if (::write(channels.mapped.write.get(), "x", 1) != 1) return NotPossible("begin", errno);

  ProcessEnd end;
  std::string setup;
  Follow(channels, process, confinement.limits, child, setup, end);
  rusage usage = {};
  end.status = child.Wait(usage);
  end.cpu = absl::DurationFromTimeval(usage.ru_utime) + absl::DurationFromTimeval(usage.ru_stime);
  if (setup.size() == sizeof(SetupFailure)) {
    SetupFailure failure;
    std::memcpy(&failure, setup.data(), sizeof failure);
    return NotPossible(failure.step, failure.error);
  }
  return end;
}

}  // namespace enigma::eval
