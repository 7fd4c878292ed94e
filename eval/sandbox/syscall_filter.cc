#include "eval/sandbox/syscall_filter.h"

#include <linux/audit.h>
#include <linux/seccomp.h>
#include <sys/syscall.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>

namespace enigma::eval {
namespace {

#if defined(__x86_64__)
constexpr uint32_t kArchitecture = AUDIT_ARCH_X86_64;
constexpr uint32_t kCallsEnd = 0x40000000;  // from here on: the calls of x32
#elif defined(__aarch64__)
constexpr uint32_t kArchitecture = AUDIT_ARCH_AARCH64;
constexpr uint32_t kCallsEnd = UINT32_MAX;
#else
constexpr uint32_t kArchitecture = 0;
constexpr uint32_t kCallsEnd = 0;
#endif

// The frequent ones first: the program compares one after the other.
constexpr int kAllowed[] = {
    SYS_read,
    SYS_write,
    SYS_futex,
    SYS_mmap,
    SYS_munmap,
    SYS_brk,
    SYS_lseek,
    SYS_fstat,
    SYS_newfstatat,
    SYS_openat,
    SYS_close,
    SYS_getdents64,
    SYS_clock_gettime,
    SYS_getrandom,
    SYS_mprotect,
    SYS_mremap,
    SYS_madvise,
    SYS_pread64,
    SYS_readv,
    SYS_writev,
    SYS_fcntl,
    SYS_dup,
    SYS_dup3,
    SYS_pipe2,
    SYS_readlinkat,
    SYS_faccessat,
    SYS_faccessat2,
    SYS_statx,
    SYS_getcwd,
    SYS_uname,
    SYS_sysinfo,
    SYS_getpid,
    SYS_gettid,
    SYS_getppid,
    SYS_getuid,
    SYS_geteuid,
    SYS_getgid,
    SYS_getegid,
    SYS_gettimeofday,
    SYS_clock_getres,
    SYS_clock_nanosleep,
    SYS_nanosleep,
    SYS_sched_yield,
    SYS_sched_getaffinity,
    SYS_getrusage,
    SYS_times,
    SYS_rt_sigaction,
    SYS_rt_sigprocmask,
    SYS_rt_sigreturn,
    SYS_sigaltstack,
    SYS_restart_syscall,
    SYS_prlimit64,
    SYS_set_tid_address,
    SYS_set_robust_list,
    SYS_rseq,
    SYS_ppoll,
    SYS_pselect6,
    SYS_ftruncate,
    SYS_mkdirat,
    SYS_unlinkat,
    SYS_exit,
    SYS_exit_group,
#if defined(__x86_64__)
    SYS_arch_prctl,
    SYS_open,
    SYS_stat,
    SYS_lstat,
    SYS_access,
    SYS_readlink,
    SYS_dup2,
    SYS_poll,
    SYS_select,
    SYS_time,
    SYS_mkdir,
    SYS_rmdir,
    SYS_unlink,
    SYS_getrlimit,
#endif
};

constexpr int kFatal[] = {
    // processes
    SYS_clone,
    SYS_clone3,
    SYS_execveat,
    SYS_kill,
    SYS_tkill,
    SYS_tgkill,
    SYS_rt_sigqueueinfo,
    SYS_rt_tgsigqueueinfo,
    SYS_pidfd_open,
    SYS_pidfd_send_signal,
    SYS_pidfd_getfd,
    SYS_ptrace,
    SYS_process_vm_readv,
    SYS_process_vm_writev,
    // network
    SYS_socket,
    SYS_socketpair,
    SYS_connect,
    SYS_bind,
    SYS_listen,
    SYS_accept,
    SYS_accept4,
    SYS_sendto,
    SYS_sendmsg,
    SYS_recvfrom,
    SYS_recvmsg,
    // namespaces, mounts, the machine
    SYS_unshare,
    SYS_setns,
    SYS_mount,
    SYS_umount2,
    SYS_pivot_root,
    SYS_chroot,
    SYS_open_tree,
    SYS_move_mount,
    SYS_fsopen,
    SYS_fsmount,
    SYS_mount_setattr,
    SYS_bpf,
    SYS_perf_event_open,
    SYS_userfaultfd,
    SYS_io_uring_setup,
    SYS_memfd_create,
    SYS_keyctl,
    SYS_add_key,
    SYS_request_key,
    SYS_init_module,
    SYS_finit_module,
    SYS_kexec_load,
    SYS_reboot,
    SYS_swapon,
    SYS_acct,
    SYS_open_by_handle_at,
#if defined(__x86_64__)
    SYS_fork,
    SYS_vfork,
#endif
};

constexpr uint32_t kLoad = BPF_LD | BPF_W | BPF_ABS;
constexpr uint32_t kEqual = BPF_JMP | BPF_JEQ | BPF_K;
constexpr uint32_t kReturn = BPF_RET | BPF_K;

sock_filter Statement(uint32_t code, uint32_t value) { return {static_cast<uint16_t>(code), 0, 0, value}; }

// Jumps count the instructions that are passed over.
sock_filter Jump(uint32_t code, uint32_t value, uint8_t if_true, uint8_t if_false) {
  return {static_cast<uint16_t>(code), if_true, if_false, value};
}

void AddRule(int call, uint32_t action, std::vector<sock_filter>& filter) {
  filter.push_back(Jump(kEqual, static_cast<uint32_t>(call), 0, 1));
  filter.push_back(Statement(kReturn, action));
}

// Leaves the number of the call loaded where it is not an execve of `program`.
void AddStart(const char* program, std::vector<sock_filter>& filter) {
  const auto address = reinterpret_cast<uint64_t>(program);
  constexpr uint32_t kPath = offsetof(seccomp_data, args);
  filter.push_back(Jump(kEqual, SYS_execve, 0, 6));
  filter.push_back(Statement(kLoad, kPath));  // both processors are little-endian
  filter.push_back(Jump(kEqual, static_cast<uint32_t>(address), 0, 3));
  filter.push_back(Statement(kLoad, kPath + 4));
  filter.push_back(Jump(kEqual, static_cast<uint32_t>(address >> 32), 0, 1));
  filter.push_back(Statement(kReturn, SECCOMP_RET_ALLOW));
  filter.push_back(Statement(kReturn, SECCOMP_RET_KILL_PROCESS));
}

}  // namespace

std::vector<sock_filter> SyscallFilter(const char* program) {
  std::vector<sock_filter> filter;
  filter.push_back(Statement(kLoad, offsetof(seccomp_data, arch)));
  filter.push_back(Jump(kEqual, kArchitecture, 1, 0));
  filter.push_back(Statement(kReturn, SECCOMP_RET_KILL_PROCESS));
  filter.push_back(Statement(kLoad, offsetof(seccomp_data, nr)));
  filter.push_back(Jump(BPF_JMP | BPF_JGE | BPF_K, kCallsEnd, 0, 1));
  filter.push_back(Statement(kReturn, SECCOMP_RET_KILL_PROCESS));
  for (const int call : kAllowed) AddRule(call, SECCOMP_RET_ALLOW, filter);
  AddStart(program, filter);
  for (const int call : kFatal) AddRule(call, SECCOMP_RET_KILL_PROCESS, filter);
  // Whether a file is a terminal is asked of each that is opened; none is.
  AddRule(SYS_ioctl, SECCOMP_RET_ERRNO | ENOTTY, filter);
  filter.push_back(Statement(kReturn, SECCOMP_RET_ERRNO | EPERM));
  return filter;
}

}  // namespace enigma::eval
