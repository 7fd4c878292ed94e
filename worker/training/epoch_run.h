#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <absl/status/statusor.h>

#include "base/clock.h"
#include "worker/training/checkpointer.h"
#include "worker/training/epoch_communicator.h"
#include "worker/training/rank_orders.h"
#include "worker/training/rank_phase.h"
#include "worker/training/rank_reporter.h"
#include "worker/training/rank_tools.h"
#include "worker/training/state_gate.h"
#include "worker/training/step_boundary.h"

namespace enigma::worker {

// What a rank's epochs work on; the runner's, which outlives them.
struct RankParts {
  uint64_t job;
  std::string node_id;
  const engine::TrainingConfig& config;
  const RankTools& tools;
  PreparedRank& rank;
  StateGate& gate;
  RankReporter& reporter;
  RankOrders& orders;
  Checkpointer& checkpointer;
  const Clock& clock;
};

// One rank's part in one epoch: links, the state where it lacks it, steps until something ends them. The coordinator is
// not needed for any of it. For the rank's thread; one object, one epoch.
class EpochRun {
 public:
  // How the epoch ended: kPaused, kFinished, kHalted, kFailed. `reason` is OK where nothing is to be said.
  struct End {
    RankPhase phase = RankPhase::kHalted;
    absl::Status reason;
    std::string lost_node;
    std::vector<std::string> unheard_nodes = {};
    ValidationRecord validations = {};  // of an epoch that did not fail
  };
  EpochRun(const RankParts& parts, const RankOrders::Epoch& epoch)
      : parts_(parts), begin_(epoch.begin), stop_(*epoch.stop) {}

  End Run();

 private:
  absl::Status CheckBegin() const;
  absl::Status ReasonForOthers() const;
  End Steps();
  End Step();
  End Validate();
  // The state of `begin.step`, from somebody else where this rank has another one.
  absl::Status BringToStep();
  absl::Status FirstOwners();
  void Checkpoint(uint64_t step);
  End Pause();
  End Finished(const absl::Status& reason) const;
  CheckpointOccasion Occasion(bool best) const {
    return {.epoch = begin_.epoch(), .validations = validations_, .best = best};
  }
  void TellStep(const engine::StepResult& result, absl::Duration spent, uint64_t sent_bytes) const;
  // Of an error: the epoch broke, or this rank cannot go on.
  End Broken(const absl::Status& error);
  End Halted(const absl::Status& reason) const;

  engine::RankTrainer& trainer() const { return *parts_.rank.trainer; }
  bool leads() const { return begin_.rank() == 0; }

  const RankParts& parts_;
  const v1::BeginEpoch& begin_;
  const StopSignal& stop_;
  std::optional<EpochCommunicator> communicator_;
  std::vector<uint32_t> owners_;  // of the next step
  ValidationRecord validations_;
  uint64_t control_ = 0;           // of the last step
  bool checkpoint_asked_ = false;  // and not begun yet
};

}  // namespace enigma::worker
