#pragma once

#include <memory>
#include <vector>

#include <absl/base/thread_annotations.h>
#include <absl/synchronization/mutex.h>

#include "engine/collective/communicator.h"
#include "worker/training/state_gate.h"

namespace enigma::worker {

// The communicator of one epoch as the trainer sees it: closes the gate to the state as soon as the sums of all ranks
// are there, since only from then on the state may change, and remembers what broke it. Also stands for the only rank
// of an epoch, which needs nobody. Threads as in Communicator.
class EpochCommunicator final : public engine::Communicator {
 public:
  // Null: alone.
  EpochCommunicator(std::unique_ptr<engine::Communicator> inner, StateGate& gate)
      : inner_(std::move(inner)), gate_(gate) {}

  uint32_t rank() const override { return inner_ == nullptr ? 0 : inner_->rank(); }
  uint32_t size() const override { return inner_ == nullptr ? 1 : inner_->size(); }
  absl::Status StartSum(std::span<int64_t> values) override;
  absl::Status Wait() override;
  absl::Status Broadcast(std::span<uint8_t> bytes, uint32_t root) override;
  void Abort(const absl::Status& reason) override;
  std::vector<uint32_t> Unheard() const override {
    return inner_ == nullptr ? std::vector<uint32_t>() : inner_->Unheard();
  }
  Traffic traffic() const override { return inner_ == nullptr ? Traffic{} : inner_->traffic(); }

  // Why the epoch is broken; OK while it is not.
  absl::Status error() const;

 private:
  absl::Status Remember(const absl::Status& status);

  const std::unique_ptr<engine::Communicator> inner_;
  StateGate& gate_;
  mutable absl::Mutex mutex_;
  absl::Status error_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace enigma::worker
