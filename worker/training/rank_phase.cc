#include "worker/training/rank_phase.h"

namespace enigma::worker {

const char* NameOf(RankPhase phase) {
  switch (phase) {
    case RankPhase::kPreparing:
      return "preparing";
    case RankPhase::kReady:
      return "ready";
    case RankPhase::kRunning:
      return "running";
    case RankPhase::kPaused:
      return "paused";
    case RankPhase::kHalted:
      return "halted";
    case RankPhase::kFinished:
      return "finished";
    case RankPhase::kFailed:
      return "failed";
    case RankPhase::kEnded:
      return "ended";
  }
  return "unknown";
}

bool IsLegalMove(RankPhase from, RankPhase to) {
  using enum RankPhase;
  const auto is = [to](auto... phases) { return ((to == phases) || ...); };
  switch (from) {
    case kPreparing:
      return is(kReady, kFailed, kEnded);
    case kReady:
    case kPaused:
    case kHalted:
    // Another rank was lost before it had done the last step: those that have finished take part once more.
    case kFinished:
      return is(kRunning, kFailed, kEnded);
    case kRunning:
      return is(kPaused, kHalted, kFinished, kFailed, kEnded);
    case kFailed:
      return is(kEnded);
    case kEnded:
      return false;
  }
  return false;
}

bool TakesEpochs(RankPhase phase) { return phase == RankPhase::kRunning || IsLegalMove(phase, RankPhase::kRunning); }

v1::RankPhase ToProto(RankPhase phase) {
  switch (phase) {
    case RankPhase::kReady:
      return v1::RANK_READY;
    case RankPhase::kRunning:
      return v1::RANK_RUNNING;
    case RankPhase::kPaused:
      return v1::RANK_PAUSED;
    case RankPhase::kHalted:
      return v1::RANK_HALTED;
    case RankPhase::kFinished:
      return v1::RANK_FINISHED;
    case RankPhase::kPreparing:
    case RankPhase::kFailed:
    case RankPhase::kEnded:
      break;
  }
  return v1::RANK_PREPARING;
}

}  // namespace enigma::worker
