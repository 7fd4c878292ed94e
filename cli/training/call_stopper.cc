#include "cli/training/call_stopper.h"

namespace enigma::cli {

CallStopper::CallStopper() : signals_([this] { Cancel(); }, [this] { Cancel(); }) {}

std::unique_ptr<grpc::ClientContext> CallStopper::NewCall() {
  auto context = std::make_unique<grpc::ClientContext>();
  absl::MutexLock lock(&mutex_);
  call_ = context.get();
  if (cancelled_) call_->TryCancel();
  return context;
}

void CallStopper::Forget() {
  absl::MutexLock lock(&mutex_);
  call_ = nullptr;
}

void CallStopper::Cancel() {
  absl::MutexLock lock(&mutex_);
  cancelled_ = true;
  if (call_ != nullptr) call_->TryCancel();
}

}  // namespace enigma::cli
