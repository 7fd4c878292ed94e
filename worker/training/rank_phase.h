#pragma once

#include "proto/rank.pb.h"

namespace enigma::worker {

// Where a rank is in its life. Only the rank's own thread moves it.
enum class RankPhase {
  kPreparing,  // fetches what it needs, and builds its state
  kReady,      // has a state, waits for an epoch
  kRunning,
  kPaused,    // at a step boundary, as the control word said
  kHalted,    // the epoch broke; slots may be held
  kFinished,  // all steps are done, or validation improves no more
  kFailed,    // cannot go on here; without a state
  kEnded,     // its thread is over
};

const char* NameOf(RankPhase phase);
bool IsLegalMove(RankPhase from, RankPhase to);
// Whether an epoch may begin from here. A rank that runs can be told of the next epoch before it has left the last one.
bool TakesEpochs(RankPhase phase);
// Of a rank that has failed or ended there is none: its standing keeps the phase it was in before.
v1::RankPhase ToProto(RankPhase phase);

}  // namespace enigma::worker
