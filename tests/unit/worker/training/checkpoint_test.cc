#include <algorithm>
#include <atomic>

#include <absl/synchronization/notification.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/eventually.h"
#include "tests/unit/worker/training/rank_fixture.h"

namespace enigma::worker {
namespace {

using enigma::testing::Eventually;
using ::testing::ElementsAre;

class Checkpoints : public RankFixture {
 protected:
  std::vector<uint64_t> StoredSteps() {
    std::vector<uint64_t> steps;
    for (const Stored& one : stored()) steps.push_back(one.file.step);
    return steps;
  }
  bool RunAlone() {
    Rank("a");
    if (!Await("a", v1::RANK_READY, 0, 0)) return false;
    Begin(1, 0, {"a"});
    return true;
  }
  // Steps of "a" last a moment, so that a storing thread has its turn in between.
  void SlowSteps() {
    hooks_["a"].before_slot = [](uint64_t, uint32_t slot) {
      if (slot == 0) absl::SleepFor(absl::Milliseconds(10));
    };
  }
};

TEST_F(Checkpoints, HoldTheStateOfTheirStepAndComeAsConfigured) {
  config_.checkpoint_every = 8;
  SlowSteps();
  ASSERT_TRUE(RunAlone());
  ASSERT_TRUE(Eventually([&] { return stored().size() == 3; }));
  EXPECT_THAT(StoredSteps(), ElementsAre(8, 16, 20)) << "the last step has one of its own";
  for (const Stored& one : stored()) {
    EXPECT_EQ(one.weights, CountingTrainer::Expected(one.file.step, kSlots)) << one.file.step;
    EXPECT_EQ(one.file.job, kJob);
    EXPECT_EQ(one.file.epoch, 1U);
    EXPECT_EQ(one.file.kind, "checkpoint");
  }
  ASSERT_TRUE(Eventually([&] { return See("a").checkpoints.size() == 3; }));
  EXPECT_EQ(See("a").checkpoints[1].step(), 16U);
  EXPECT_EQ(See("a").checkpoints[1].error(), "");
}

TEST_F(Checkpoints, TrainingDoesNotWaitAndThereAreNeverTwoAtOnce) {
  config_.checkpoint_every = 2;
  std::atomic<int> at_once{0};
  std::atomic<int> most{0};
  absl::Notification go;
  on_store_ = [&](const StoredFile&, const StopSignal&) {
    most = std::max(most.load(), ++at_once);
    go.WaitForNotification();
    --at_once;
    return absl::OkStatus();
  };
  ASSERT_TRUE(RunAlone());
  ASSERT_TRUE(Await("a", v1::RANK_FINISHED, 1, 20)) << "training waited for the store";
  EXPECT_TRUE(Eventually([&] { return at_once == 1; }));
  go.Notify();
  ASSERT_TRUE(Eventually([&] { return stored().size() == 2; }));
  EXPECT_THAT(StoredSteps(), ElementsAre(2, 20));
  EXPECT_EQ(stored().front().weights, CountingTrainer::Expected(2, kSlots)) << "the copy changed under the store";
  EXPECT_EQ(most, 1);
}

TEST_F(Checkpoints, AFailureIsToldAndTriedAgainLater) {
  config_.checkpoint_every = 5;
  std::atomic<int> calls{0};
  on_store_ = [&](const StoredFile&, const StopSignal&) {
    return ++calls <= 2 ? absl::ResourceExhaustedError("the disk is full") : absl::OkStatus();
  };
  absl::Notification go;
  hooks_["a"].before_slot = [&](uint64_t step, uint32_t slot) {
    if (step == 12 && slot == 0) go.WaitForNotification();
    if (slot == 0) absl::SleepFor(absl::Milliseconds(5));
  };
  ASSERT_TRUE(RunAlone());
  ASSERT_TRUE(Eventually([&] { return See("a").checkpoints.size() == 1; }));
  EXPECT_EQ(See("a").checkpoints[0].step(), 5U);
  EXPECT_EQ(See("a").checkpoints[0].error(), "the disk is full");
  absl::SleepFor(absl::Milliseconds(50));
  EXPECT_EQ(calls, 1) << "not at once";
  clock_.Advance(absl::Seconds(11));
  go.Notify();
  ASSERT_TRUE(Await("a", v1::RANK_FINISHED, 1, 20));
  ASSERT_TRUE(Eventually([&] { return See("a").checkpoints.size() == 2; }));
  EXPECT_EQ(See("a").checkpoints[1].step(), 13U) << "with the state of by then";
  EXPECT_NE(See("a").checkpoints[1].error(), "");
  // The last one is tried until it is stored.
  EXPECT_TRUE(stored().empty());
  clock_.Advance(absl::Seconds(11));
  ASSERT_TRUE(Eventually([&] { return stored().size() == 1; }));
  EXPECT_EQ(stored().front().file.step, 20U);
}

TEST_F(Checkpoints, TheBestStateIsKeptUntilItIsStored) {
  config_.validate_every = 5;
  hooks_["a"].validation_loss = [](uint64_t step) { return step == 5 ? 1.0 : 2.0; };
  std::atomic<int> calls{0};
  on_store_ = [&](const StoredFile&, const StopSignal&) {
    return ++calls == 1 ? absl::UnavailableError("the coordinator is away") : absl::OkStatus();
  };
  ASSERT_TRUE(RunAlone());
  ASSERT_TRUE(Await("a", v1::RANK_FINISHED, 1, 20));
  ASSERT_TRUE(Eventually([&] { return See("a").checkpoints.size() == 1; }));
  EXPECT_TRUE(stored().empty());
  clock_.Advance(absl::Seconds(11));
  ASSERT_TRUE(Eventually([&] { return stored().size() == 2; }));
  EXPECT_THAT(StoredSteps(), ElementsAre(5, 20));
  EXPECT_EQ(stored().front().weights, CountingTrainer::Expected(5, kSlots));
}

TEST_F(Checkpoints, ByTime) {
  config_.checkpoint_seconds = 30;
  hooks_["a"].before_slot = [&](uint64_t step, uint32_t slot) {
    if (slot == 0) clock_.Advance(absl::Seconds(4));
    // For the storing thread, whose checkpoint would else be passed over.
    if (slot == 0 && step % 8 == 0) absl::SleepFor(absl::Milliseconds(50));
  };
  ASSERT_TRUE(RunAlone());
  ASSERT_TRUE(Eventually([&] { return stored().size() == 3; }));
  EXPECT_THAT(StoredSteps(), ElementsAre(8, 16, 20));
}

TEST_F(Checkpoints, OnDemand) {
  absl::Notification go;
  hooks_["a"].before_slot = [&](uint64_t step, uint32_t slot) {
    if (step == 3 && slot == 0) go.WaitForNotification();
  };
  ASSERT_TRUE(RunAlone());
  ASSERT_TRUE(AwaitSteps("a", 3));
  v1::LeaderControl control;
  control.set_checkpoint(true);
  Control("a", control);
  go.Notify();
  ASSERT_TRUE(Eventually([&] { return stored().size() == 2; }));
  // The word that step 4 was begun with may have been read before.
  EXPECT_TRUE(StoredSteps().front() == 4 || StoredSteps().front() == 5) << StoredSteps().front();
  EXPECT_EQ(StoredSteps().back(), 20U);
}

TEST_F(Checkpoints, AStopPausesOnceItsCheckpointIsStored) {
  absl::Notification go, store;
  std::atomic<bool> storing{false};
  hooks_["a"].before_slot = [&](uint64_t step, uint32_t slot) {
    if (step == 3 && slot == 0) go.WaitForNotification();
  };
  on_store_ = [&](const StoredFile&, const StopSignal&) {
    storing = true;
    store.WaitForNotification();
    return absl::OkStatus();
  };
  ASSERT_TRUE(RunAlone());
  ASSERT_TRUE(AwaitSteps("a", 3));
  v1::LeaderControl control;
  control.set_stop(true);
  Control("a", control);
  go.Notify();
  ASSERT_TRUE(Eventually([&] { return storing.load(); }));
  absl::SleepFor(absl::Milliseconds(30));
  EXPECT_EQ(Standing("a").phase(), v1::RANK_RUNNING);
  store.Notify();
  const uint64_t step = AwaitPhase("a", v1::RANK_PAUSED, 1).step();
  EXPECT_THAT(StoredSteps(), ElementsAre(step));
  EXPECT_LE(step, 5U);
}

TEST_F(Checkpoints, OnlyTheLeaderStores) {
  config_.checkpoint_every = 10;
  Rank("a");
  Rank("b");
  ASSERT_TRUE(Await("a", v1::RANK_READY, 0, 0));
  ASSERT_TRUE(Await("b", v1::RANK_READY, 0, 0));
  hooks_["b"].before_slot = nullptr;
  Begin(1, 0, {"b", "a"});
  ASSERT_TRUE(Await("a", v1::RANK_FINISHED, 1, 20));
  ASSERT_TRUE(Await("b", v1::RANK_FINISHED, 1, 20));
  ASSERT_TRUE(Eventually([&] { return !stored().empty() && stored().back().file.step == 20; }));
  EXPECT_TRUE(See("a").checkpoints.empty());
}

TEST_F(Checkpoints, TheEndOfARankEndsItsStore) {
  config_.checkpoint_every = 5;
  std::atomic<bool> storing{false};
  on_store_ = [&](const StoredFile&, const StopSignal& stop) {
    storing = true;
    stop.notification().WaitForNotification();
    return stop.reason();
  };
  ASSERT_TRUE(RunAlone());
  ASSERT_TRUE(Eventually([&] { return storing.load(); }));
  Finish("a", false);
  Rank("a").AwaitEnd();
  EXPECT_TRUE(stored().empty());
}

}  // namespace
}  // namespace enigma::worker
