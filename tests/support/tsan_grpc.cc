// ThreadSanitizer builds only. A thread prepares an operation and hands its tag to gRPC, and the thread that takes the
// tag from a completion queue finishes it. What orders the two lies in Debian's uninstrumented library; these
// definitions take the place of the library's (the dynamic linker prefers the program's), call it, and tell the
// sanitizer.

#include <dlfcn.h>
#include <sanitizer/tsan_interface.h>

#include <cstdlib>

#include <grpc/grpc.h>

namespace {

template <typename Function>
Function Library(const char* symbol) {
  void* found = ::dlsym(RTLD_NEXT, symbol);
  if (found == nullptr) std::abort();  // another gRPC than the one these names were taken from
  return reinterpret_cast<Function>(found);
}

grpc_event Took(const grpc_event& event) {
  if (event.type == GRPC_OP_COMPLETE) __tsan_acquire(event.tag);
  return event;
}

}  // namespace

extern "C" {

grpc_call_error grpc_call_start_batch(grpc_call* call, const grpc_op* operations, size_t count, void* tag,
                                      void* reserved) {
  static const auto next = Library<decltype(&grpc_call_start_batch)>("grpc_call_start_batch");
  __tsan_release(tag);
  return next(call, operations, count, tag, reserved);
}

grpc_event grpc_completion_queue_next(grpc_completion_queue* queue, gpr_timespec deadline, void* reserved) {
  static const auto next = Library<decltype(&grpc_completion_queue_next)>("grpc_completion_queue_next");
  return Took(next(queue, deadline, reserved));
}

grpc_event grpc_completion_queue_pluck(grpc_completion_queue* queue, void* tag, gpr_timespec deadline, void* reserved) {
  static const auto next = Library<decltype(&grpc_completion_queue_pluck)>("grpc_completion_queue_pluck");
  return Took(next(queue, tag, deadline, reserved));
}

}  // extern "C"
