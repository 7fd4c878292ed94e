#include "eval/sandbox/confinement.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <set>
#include <system_error>
#include <utility>

#include <absl/strings/str_cat.h>

#include "eval/sandbox/syscall_filter.h"

namespace enigma::eval {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void Fail(const char* step) {
  const SetupFailure failure = {step, errno};
  [[maybe_unused]] const ssize_t written = ::write(kSetupFd, &failure, sizeof failure);
  ::_exit(1);
}

void Must(bool done, const char* step) {
  if (!done) Fail(step);
}

// Read-only and without devices and set-user bits, for everything mounted below, too.
void MakeReadOnly(const char* path, bool recursive, const char* step) {
  mount_attr attributes = {};
  attributes.attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;
  const unsigned flags = recursive ? AT_RECURSIVE : 0;
  Must(::syscall(SYS_mount_setattr, AT_FDCWD, path, flags, &attributes, sizeof attributes) == 0, step);
}

// A root of its own in memory, which holds what the program needs to see and /tmp.
void BuildFileSystem(const Confinement& confinement) {
  Must(::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0, "part from the machine's mounts");
  Must(::mount("sandbox", "/tmp", "tmpfs", MS_NOSUID | MS_NODEV, "mode=755,size=1m,nr_inodes=512") == 0,
       "mount a root in memory");
  Must(::mkdir("/tmp/old", 0700) == 0, "make a folder for the old root");
  Must(::syscall(SYS_pivot_root, "/tmp", "/tmp/old") == 0, "change the root");
  Must(::chdir("/") == 0, "enter the new root");
  for (const std::string& folder : confinement.folders) {
    Must(::mkdir(folder.c_str(), 0755) == 0 || errno == EEXIST, "make a folder of the new root");
  }
  for (const auto& link : confinement.links) {
    Must(::symlink(link.target.c_str(), link.path.c_str()) == 0 || errno == EEXIST, "make a link of the new root");
  }
  for (const auto& bind : confinement.binds) {
    const char* target = bind.target.c_str();
    if (!bind.is_folder) Must(::mknod(target, S_IFREG | 0444, 0) == 0, "make a file of the new root");
    Must(::mount(bind.source.c_str(), target, nullptr, MS_BIND | MS_REC, nullptr) == 0, "show the interpreter's files");
    MakeReadOnly(target, true, "make the interpreter's files read-only");
  }
  Must(::mount("scratch", "/tmp", "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, confinement.scratch_options.c_str()) == 0,
       "mount /tmp");
  Must(::umount2("/old", MNT_DETACH) == 0 && ::rmdir("/old") == 0, "leave the old root");
  MakeReadOnly("/", false, "make the new root read-only");
  Must(::chdir("/tmp") == 0, "enter /tmp");
}

void SetLimit(int resource, uint64_t value) {
  rlimit limit = {};
  const auto which = static_cast<__rlimit_resource>(resource);
  Must(::getrlimit(which, &limit) == 0, "read a limit");
  // Hard and soft alike, so that it cannot be raised; one that stands lower stays.
  limit.rlim_max = limit.rlim_cur = std::min<rlim_t>(value, limit.rlim_max);
  Must(::setrlimit(which, &limit) == 0, "set a limit");
}

void SetLimits(const SandboxLimits& limits) {
  SetLimit(RLIMIT_AS, limits.memory_bytes);
  // The caller watches the time itself (Follow), by a clock that counts no ticks; this is for when it cannot.
  SetLimit(RLIMIT_CPU, uint64_t{2} * limits.cpu_seconds + 1);
  SetLimit(RLIMIT_FSIZE, limits.file_bytes);
  SetLimit(RLIMIT_NOFILE, limits.open_files);
  SetLimit(RLIMIT_NPROC, 1);
  SetLimit(RLIMIT_CORE, 0);
  SetLimit(RLIMIT_MEMLOCK, 0);
  SetLimit(RLIMIT_MSGQUEUE, 0);
}

// No root inside, no capability, and no way to get one.
void GiveUpPrivileges(bool changes_user) {
  for (int capability = 0; ::prctl(PR_CAPBSET_READ, capability, 0, 0, 0) == 1; ++capability) {
    Must(::prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) == 0, "drop a capability for good");
  }
  if (changes_user) {
    // The calls themselves: the library's would tell other threads, which this process does not have.
    Must(::syscall(SYS_setgroups, 0, nullptr) == 0, "leave the groups");
    Must(::syscall(SYS_setresgid, kNobody, kNobody, kNobody) == 0, "change the group");
    Must(::syscall(SYS_setresuid, kNobody, kNobody, kNobody) == 0, "change the user");
  }
  __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  const __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {};
  Must(::syscall(SYS_capset, &header, none) == 0, "drop the capabilities");
  // A change of the user forgets this.
  Must(::prctl(PR_SET_PDEATHSIG, SIGKILL) == 0, "die with the caller");
  Must(::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0, "renounce new privileges");
}

void ResetSignals() {
  for (int signal = 1; signal < NSIG; ++signal) ::signal(signal, SIG_DFL);  // two refuse, as they never change
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

// The folders above `path`, from the outside.
void AddParents(const std::string& path, std::vector<std::string>& folders, std::set<std::string>& known) {
  const std::string parent = fs::path(path).parent_path().string();
  if (parent == "/" || !known.insert(parent).second) return;
  AddParents(parent, folders, known);
  folders.push_back(parent);
}

}  // namespace

Confinement Confine(const std::vector<std::string>& paths, std::vector<std::string> arguments,
                    const SandboxLimits& limits) {
  Confinement made;
  std::set<std::string> known;
  for (const std::string& path : paths) {
    std::error_code error;
    const bool is_folder = fs::is_directory(path, error);
    AddParents(path, made.folders, known);
    if (is_folder && known.insert(path).second) made.folders.push_back(path);
    made.binds.push_back({absl::StrCat("/old", path), path, is_folder});
  }
  if (known.insert("/tmp").second) made.folders.push_back("/tmp");
  // Where the dynamic linker looks, on systems that keep libraries below /usr.
  for (const char* path : {"/lib", "/lib64"}) {
    std::error_code error;
    const fs::path target = fs::read_symlink(path, error);
    if (!error) made.links.push_back({target.string(), path});
  }
  made.arguments = std::move(arguments);
  for (std::string& argument : made.arguments) made.argv.push_back(argument.data());
  made.argv.push_back(nullptr);
  made.scratch_options = absl::StrCat("mode=1777,nr_inodes=64,size=", limits.file_bytes);
  made.filter = SyscallFilter(made.argv[0]);
  made.limits = limits;
  made.changes_user = ::geteuid() == 0;
  return made;
}

void EnterAndRun(const Confinement& confinement) {
  Must(::prctl(PR_SET_PDEATHSIG, SIGKILL) == 0, "die with the caller");
  Must(::setsid() >= 0, "leave the terminal");
  Must(::sethostname("sandbox", 7) == 0, "name the machine");
  BuildFileSystem(confinement);
  Must(::syscall(SYS_close_range, kSetupFd + 1, ~0U, 0) == 0, "close what the caller has open");
  GiveUpPrivileges(confinement.changes_user);
  ResetSignals();
  SetLimits(confinement.limits);
  char* const environment[] = {nullptr};
  const sock_fprog program = {static_cast<uint16_t>(confinement.filter.size()),
                              const_cast<sock_filter*>(confinement.filter.data())};
  Must(::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0, "set the filter of system calls");
  ::execve(confinement.argv[0], confinement.argv.data(), environment);
  Fail("start the interpreter");
}

}  // namespace enigma::eval
