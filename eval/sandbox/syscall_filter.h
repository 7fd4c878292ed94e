#pragma once

#include <linux/filter.h>

#include <vector>

namespace enigma::eval {

// A seccomp program (linux/seccomp.h) for a Python interpreter that computes and reads its own library:
//  - what it needs for that is allowed;
//  - what makes processes, signals them, opens sockets, or touches the machine ends the process with SIGSYS, so that
//    the attempt cannot be hidden by catching an error;
//  - everything else fails with EPERM.
// `program` is the address from which execve may take its path, the one with which the interpreter is started. Where
// the processor's calls are not known the program refuses all of them.
std::vector<sock_filter> SyscallFilter(const char* program);

}  // namespace enigma::eval
