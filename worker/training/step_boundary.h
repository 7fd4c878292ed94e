#pragma once

#include <cstdint>

#include <absl/time/time.h>

#include "engine/spec/training_config.h"
#include "proto/rank.pb.h"

namespace enigma::worker {

// What happens between two steps. Pure; every rank of an epoch decides the same, because all that is looked at is the
// same on all of them. Only checkpoints are the leader's alone: nobody else's doing depends on them.

// The leader's control word: travels with a step's header, and everybody obeys it once that step is done.
inline constexpr uint64_t kControlPause = 1;
inline constexpr uint64_t kControlCheckpoint = 2;
inline constexpr uint64_t kControlStop = 4;  // pause and checkpoint in one
uint64_t ControlWordOf(const v1::LeaderControl& control);

// Validations so far, as far as early stopping and the choice of the best state must know them.
struct ValidationRecord {
  uint64_t step = 0;  // of the last one; 0: none
  double loss = 0;    // of that; not a number where only an earlier epoch knew
  double best_loss = 0;
  uint64_t best_step = 0;   // 0: none
  uint32_t since_best = 0;  // validations since then

  static ValidationRecord From(const v1::BeginEpoch& begin);
  v1::ValidationRecord ToProto() const;
  void Add(uint64_t at_step, double at_loss);
  // The validation part is empty: nothing is learned, but it is done.
  void Skip(uint64_t at_step) { step = at_step; }
};

enum class BoundaryAction {
  kStep,
  kValidate,
  kPause,
  kFinish,
  kFinishEarly,  // validation has not improved for too long
};
// `step` steps are done; `control` came with the last of them, 0 at the beginning of an epoch. A pause comes before a
// validation, which then begins the next epoch.
BoundaryAction NextAction(const engine::TrainingConfig& config, uint64_t step, uint64_t control,
                          const ValidationRecord& validations);

// Whether the leader writes a checkpoint by itself: `last_step` is that of the newest one, `since_last` how long ago it
// was. By steps: once a multiple of checkpoint_every has been passed.
bool CheckpointDue(const engine::TrainingConfig& config, uint64_t step, uint64_t last_step, absl::Duration since_last);

}  // namespace enigma::worker
