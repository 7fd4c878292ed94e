#include "worker/training/epoch_communicator.h"

#include "base/status_macros.h"

namespace enigma::worker {

absl::Status EpochCommunicator::StartSum(std::span<int64_t> values) {
  return inner_ == nullptr ? error() : Remember(inner_->StartSum(values));
}

absl::Status EpochCommunicator::Wait() {
  ENIGMA_RETURN_IF_ERROR(inner_ == nullptr ? error() : Remember(inner_->Wait()));
  gate_.Close();
  return absl::OkStatus();
}

absl::Status EpochCommunicator::Broadcast(std::span<uint8_t> bytes, uint32_t root) {
  return inner_ == nullptr ? error() : Remember(inner_->Broadcast(bytes, root));
}

void EpochCommunicator::Abort(const absl::Status& reason) {
  (void)Remember(reason);
  if (inner_ != nullptr) inner_->Abort(reason);
}

absl::Status EpochCommunicator::error() const {
  absl::MutexLock lock(&mutex_);
  return error_;
}

absl::Status EpochCommunicator::Remember(const absl::Status& status) {
  if (status.ok()) return status;
  absl::MutexLock lock(&mutex_);
  if (error_.ok()) error_ = status;
  return status;
}

}  // namespace enigma::worker
