#include "worker/training/rank_phase.h"

#include <map>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace enigma::worker {
namespace {

constexpr RankPhase kAll[] = {RankPhase::kPreparing, RankPhase::kReady,    RankPhase::kRunning, RankPhase::kPaused,
                              RankPhase::kHalted,    RankPhase::kFinished, RankPhase::kFailed,  RankPhase::kEnded};

TEST(RankPhase, MovesAreThoseOfTheTable) {
  using enum RankPhase;
  const std::map<RankPhase, std::set<RankPhase>> legal = {
      {kPreparing, {kReady, kFailed, kEnded}},
      {kReady, {kRunning, kFailed, kEnded}},
      {kRunning, {kPaused, kHalted, kFinished, kFailed, kEnded}},
      {kPaused, {kRunning, kFailed, kEnded}},
      {kHalted, {kRunning, kFailed, kEnded}},
      {kFinished, {kRunning, kFailed, kEnded}},
      {kFailed, {kEnded}},
      {kEnded, {}},
  };
  for (const RankPhase from : kAll) {
    for (const RankPhase to : kAll) {
      EXPECT_EQ(IsLegalMove(from, to), legal.at(from).contains(to)) << NameOf(from) << " to " << NameOf(to);
    }
  }
}

TEST(RankPhase, AnEpochMayBeginWhereThereIsAState) {
  for (const RankPhase phase : kAll) {
    const bool without = phase == RankPhase::kPreparing || phase == RankPhase::kFailed || phase == RankPhase::kEnded;
    EXPECT_EQ(TakesEpochs(phase), !without) << NameOf(phase);
  }
}

TEST(RankPhase, NamesAndNumbersOnTheWire) {
  EXPECT_STREQ(NameOf(RankPhase::kHalted), "halted");
  EXPECT_EQ(ToProto(RankPhase::kPreparing), v1::RANK_PREPARING);
  EXPECT_EQ(ToProto(RankPhase::kReady), v1::RANK_READY);
  EXPECT_EQ(ToProto(RankPhase::kRunning), v1::RANK_RUNNING);
  EXPECT_EQ(ToProto(RankPhase::kPaused), v1::RANK_PAUSED);
  EXPECT_EQ(ToProto(RankPhase::kHalted), v1::RANK_HALTED);
  EXPECT_EQ(ToProto(RankPhase::kFinished), v1::RANK_FINISHED);
}

}  // namespace
}  // namespace enigma::worker
