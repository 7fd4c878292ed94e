#pragma once

#include <memory>

#include <absl/base/thread_annotations.h>
#include <absl/synchronization/mutex.h>
#include <grpcpp/client_context.h>

#include "cli/daemon/stop_signals.h"

namespace enigma::cli {

// Lets Ctrl-C end a call and not the program, which then says what goes on without it. Construct before any other
// thread exists, as StopSignals.
class CallStopper {
 public:
  CallStopper();

  // A context whose call Ctrl-C cancels; at once, where it was pressed already.
  std::unique_ptr<grpc::ClientContext> NewCall();
  // Before the context goes.
  void Forget();
  bool stopped() const { return signals_.stopped(); }

 private:
  void Cancel();

  absl::Mutex mutex_;
  grpc::ClientContext* call_ ABSL_GUARDED_BY(mutex_) = nullptr;
  bool cancelled_ ABSL_GUARDED_BY(mutex_) = false;
  StopSignals signals_;
};

}  // namespace enigma::cli
