#include <algorithm>
#include <numeric>
#include <thread>

#include <absl/synchronization/notification.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/eventually.h"
#include "tests/unit/worker/training/rank_fixture.h"

namespace enigma::worker {
namespace {

using enigma::testing::Eventually;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

std::vector<uint64_t> StepsOf(const std::vector<v1::StepDone>& steps) {
  std::vector<uint64_t> numbers;
  for (const v1::StepDone& step : steps) numbers.push_back(step.step());
  return numbers;
}

std::vector<v1::RankPhase> PhasesOf(const std::vector<v1::RankStanding>& standings) {
  std::vector<v1::RankPhase> phases;
  for (const v1::RankStanding& standing : standings) {
    if (phases.empty() || phases.back() != standing.phase()) phases.push_back(standing.phase());
  }
  return phases;
}

class Runner : public RankFixture {
 protected:
  bool Ready(const std::vector<std::string>& nodes) {
    bool ready = true;
    for (const std::string& node : nodes) {
      Rank(node);
      ready = Await(node, v1::RANK_READY, 0, 0) && ready;
    }
    return ready;
  }
  // Slots of a node wait from this step on, until the notification.
  void HoldSlots(const std::string& node, uint64_t step, uint32_t slot, absl::Notification& go) {
    hooks_[node].before_slot = [step, slot, &go](uint64_t at, uint32_t number) {
      if (at == step && number == slot) go.WaitForNotification();
    };
  }
};

TEST_F(Runner, OneRankAloneRunsToTheEnd) {
  ASSERT_TRUE(Ready({"a"}));
  Begin(1, 0, {"a"});
  ASSERT_TRUE(Await("a", v1::RANK_FINISHED, 1, 20));
  EXPECT_EQ(WeightsOf("a", 20), CountingTrainer::Expected(20, kSlots));
  const Seen seen = See("a");
  std::vector<v1::RankPhase> phases = PhasesOf(seen.standings);
  // Whoever reads from the beginning may come when it has prepared already.
  if (phases.front() == v1::RANK_PREPARING) phases.erase(phases.begin());
  EXPECT_THAT(phases, ElementsAre(v1::RANK_READY, v1::RANK_RUNNING, v1::RANK_FINISHED));
  std::vector<uint64_t> all(20);
  std::iota(all.begin(), all.end(), 1);
  EXPECT_EQ(StepsOf(seen.steps), all);
  EXPECT_EQ(seen.steps.back().data_epoch(), 2.0);
  EXPECT_EQ(seen.standings.back().memory_bytes(), 1000U);
  EXPECT_EQ(seen.standings.back().flops_per_second(), 1e9);
}

TEST_F(Runner, ThreeRanksComeToTheSameStateAndTheLeaderReports) {
  ASSERT_TRUE(Ready({"a", "b", "c"}));
  Begin(1, 0, {"a", "b", "c"});
  for (const char* node : {"a", "b", "c"}) {
    ASSERT_TRUE(Await(node, v1::RANK_FINISHED, 1, 20));
    EXPECT_EQ(WeightsOf(node, 20), CountingTrainer::Expected(20, kSlots)) << node;
  }
  EXPECT_THAT(See("a").steps, SizeIs(20));
  EXPECT_THAT(See("b").steps, IsEmpty());
  EXPECT_THAT(See("a").steps.front().slots(), ElementsAre(3, 3, 2));
}

TEST_F(Runner, RunningIsToldAtOnceThoughTheLastEpochStillComputes) {
  absl::Notification go;
  HoldSlots("a", 0, 0, go);
  ASSERT_TRUE(Ready({"a"}));
  Begin(1, 0, {"a"});
  ASSERT_TRUE(Await("a", v1::RANK_RUNNING, 1, 0));
  Begin(2, 0, {"a"});
  EXPECT_EQ(Standing("a").epoch(), 2U) << "before the thread has left the first";
  go.Notify();
  ASSERT_TRUE(Await("a", v1::RANK_FINISHED, 2, 20));
  for (const v1::RankStanding& standing : See("a").standings) {
    EXPECT_NE(standing.phase(), v1::RANK_HALTED) << "of an epoch that is of no interest any more";
  }
}

TEST_F(Runner, ALostRankHaltsTheOthersWhichKeepTheirSlots) {
  // c never comes to its first slot of step 5; a and b have done theirs by then.
  absl::Notification go;
  HoldSlots("c", 5, 2, go);
  ASSERT_TRUE(Ready({"a", "b", "c"}));
  const std::vector<uint32_t> owners = {0, 1, 2, 0, 1, 2, 0, 1};
  Begin(1, 0, {"a", "b", "c"}, owners);
  ASSERT_TRUE(AwaitSteps("a", 5));
  absl::SleepFor(absl::Milliseconds(30));
  Kill(1, 2);
  v1::RankStanding a = AwaitPhase("a", v1::RANK_HALTED, 1);
  v1::RankStanding b = AwaitPhase("b", v1::RANK_HALTED, 1);
  EXPECT_EQ(a.step(), 5U);
  EXPECT_THAT(a.held(), ElementsAre(0, 3, 6));
  EXPECT_THAT(b.held(), ElementsAre(1, 4, 7));
  EXPECT_EQ(a.lost_node(), "c");
  EXPECT_EQ(b.lost_node(), "c");
  EXPECT_THAT(a.reason(), HasSubstr("lost"));

  // Only the lost slots are computed anew.
  go.Notify();
  ASSERT_TRUE(AwaitPhase("c", v1::RANK_HALTED, 1).step() == 5);
  Begin(2, 5, {"a", "b"}, {0, 1, 0, 0, 1, 1, 0, 1});
  ASSERT_TRUE(Await("a", v1::RANK_FINISHED, 2, 20));
  ASSERT_TRUE(Await("b", v1::RANK_FINISHED, 2, 20));
  EXPECT_EQ(WeightsOf("a", 20), CountingTrainer::Expected(20, kSlots));
  EXPECT_EQ(WeightsOf("b", 20), CountingTrainer::Expected(20, kSlots));
}

TEST_F(Runner, HeldSlotsAreNotComputedTwice) {
  absl::Mutex mutex;
  std::vector<uint32_t> at_step_2;
  absl::Notification go;
  hooks_["a"].before_slot = [&](uint64_t step, uint32_t slot) {
    if (step != 2) return;
    absl::MutexLock lock(&mutex);
    at_step_2.push_back(slot);
  };
  HoldSlots("b", 2, 4, go);
  ASSERT_TRUE(Ready({"a", "b"}));
  const std::vector<uint32_t> halves = {0, 0, 0, 0, 1, 1, 1, 1};
  Begin(1, 0, {"a", "b"}, halves);
  ASSERT_TRUE(AwaitSteps("a", 2));
  ASSERT_TRUE(Eventually([&] {
    absl::MutexLock lock(&mutex);
    return at_step_2.size() == 4;
  }));
  Halt("a", 1);
  Halt("b", 1);
  EXPECT_THAT(AwaitPhase("a", v1::RANK_HALTED, 1).held(), ElementsAre(0, 1, 2, 3));
  go.Notify();
  AwaitPhase("b", v1::RANK_HALTED, 1);
  // a holds four and is given all: it computes the other four.
  Begin(2, 2, {"a"}, {0, 0, 0, 0, 0, 0, 0, 0});
  ASSERT_TRUE(Await("a", v1::RANK_FINISHED, 2, 20));
  EXPECT_THAT(at_step_2, ElementsAre(0, 1, 2, 3, 4, 5, 6, 7));
  EXPECT_EQ(WeightsOf("a", 20), CountingTrainer::Expected(20, kSlots));
}

TEST_F(Runner, SlotsThatGoToAnotherRankAreForgotten) {
  absl::Notification go;
  HoldSlots("b", 0, 4, go);
  ASSERT_TRUE(Ready({"a", "b"}));
  Begin(1, 0, {"a", "b"}, {0, 0, 0, 0, 1, 1, 1, 1});
  AwaitPhase("b", v1::RANK_RUNNING, 1);
  absl::SleepFor(absl::Milliseconds(20));
  Halt("a", 1);
  EXPECT_THAT(AwaitPhase("a", v1::RANK_HALTED, 1).held(), SizeIs(4));
  go.Notify();
  AwaitPhase("b", v1::RANK_HALTED, 1);
  // The other way round: what both hold must not be in the sums twice.
  Begin(2, 0, {"a", "b"}, {1, 1, 1, 1, 0, 0, 0, 0});
  ASSERT_TRUE(Await("a", v1::RANK_FINISHED, 2, 20));
  EXPECT_EQ(WeightsOf("a", 20), CountingTrainer::Expected(20, kSlots));
}

TEST_F(Runner, ANewcomerTakesTheStateWhileTheOthersCompute) {
  v1::LeaderControl pause;
  pause.set_pause(true);
  absl::Notification go;
  HoldSlots("a", 6, 0, go);
  ASSERT_TRUE(Ready({"a", "b"}));
  Begin(1, 0, {"a", "b"});
  ASSERT_TRUE(AwaitSteps("a", 6));
  Control("a", pause);
  go.Notify();
  const uint64_t step = AwaitPhase("a", v1::RANK_PAUSED, 1).step();
  EXPECT_EQ(AwaitPhase("b", v1::RANK_PAUSED, 1).step(), step);
  EXPECT_LT(step, 20U);
  ASSERT_TRUE(Ready({"c"}));
  // The transfer is slow; a and b are told to begin before it has ended.
  on_send_state_ = [] { absl::SleepFor(absl::Milliseconds(100)); };
  Begin(2, step, {"a", "b", "c"}, {}, "a", {"c"});
  for (const char* node : {"a", "b", "c"}) {
    ASSERT_TRUE(Await(node, v1::RANK_FINISHED, 2, 20)) << node;
    EXPECT_EQ(WeightsOf(node, 20), CountingTrainer::Expected(20, kSlots)) << node;
  }
}

TEST_F(Runner, AStateDoesNotChangeUnderATransfer) {
  ASSERT_TRUE(Ready({"a"}));
  std::atomic<bool> sending{false};
  std::atomic<bool> told{false};
  std::atomic<bool> sent{false};
  on_send_state_ = [&] {
    sending = true;
    Eventually([&] { return told.load(); });
    absl::SleepFor(absl::Milliseconds(30));
    sent = true;
  };
  std::string bytes;
  std::thread transfer([&] {
    EXPECT_TRUE(Rank("a")
                    .SendState(
                        0, [&] { told = true; }, [](uint64_t) {},
                        [&](std::span<const uint8_t> part) {
                          bytes.append(reinterpret_cast<const char*>(part.data()), part.size());
                          return absl::OkStatus();
                        })
                    .ok());
  });
  ASSERT_TRUE(Eventually([&] { return sending.load(); }));
  Begin(1, 0, {"a"});
  ASSERT_TRUE(Await("a", v1::RANK_FINISHED, 1, 20));
  EXPECT_TRUE(sent) << "the rank did not wait for its reader";
  on_send_state_ = nullptr;
  transfer.join();
  EXPECT_EQ(CountingTrainer::WeightsOf(CountingTrainer::Unpack(bytes)), CountingTrainer::Expected(0, kSlots));
}

TEST_F(Runner, AStateThatCannotBeHadHaltsTheEpochAndNamesTheSource) {
  ASSERT_TRUE(Ready({"a", "b"}));
  Begin(1, 9, {"a"}, {}, "b", {"a"});  // b is at step 0
  const v1::RankStanding a = AwaitPhase("a", v1::RANK_HALTED, 1);
  EXPECT_EQ(a.lost_node(), "b");
  EXPECT_THAT(a.reason(), HasSubstr("step 9"));
  Begin(2, 9, {"a"});
  EXPECT_THAT(AwaitPhase("a", v1::RANK_HALTED, 2).reason(), HasSubstr("nobody is named"));
}

// A communicator that does not hear rank 1.
class DeafCommunicator final : public engine::Communicator {
 public:
  DeafCommunicator(const StopSignal& stop, absl::Notification& waits) : stop_(stop), waits_(waits) {}
  uint32_t rank() const override { return 0; }
  uint32_t size() const override { return 2; }
  absl::Status StartSum(std::span<int64_t>) override { return absl::OkStatus(); }
  absl::Status Wait() override {
    waits_.Notify();
    stop_.notification().WaitForNotification();
    return stop_.reason();
  }
  absl::Status Broadcast(std::span<uint8_t>, uint32_t) override { return Wait(); }
  void Abort(const absl::Status&) override {}
  std::vector<uint32_t> Unheard() const override { return {1}; }
  Traffic traffic() const override { return {}; }

 private:
  const StopSignal& stop_;
  absl::Notification& waits_;
};

TEST_F(Runner, WhoIsHaltedByOthersTellsWhomItDidNotHear) {
  absl::Notification waits;
  tools_.open_epoch = [&](uint64_t, const v1::BeginEpoch&,
                          const StopSignal& stop) -> absl::StatusOr<std::unique_ptr<engine::Communicator>> {
    return std::make_unique<DeafCommunicator>(stop, waits);
  };
  ASSERT_TRUE(Ready({"a"}));
  v1::RankOrder order;
  *order.mutable_begin() = BeginOf(1, 0, {"a", "b"});
  ASSERT_TRUE(Rank("a").Obey(order).ok());
  waits.WaitForNotification();
  Halt("a", 1, "node c lost node a");
  const v1::RankStanding a = AwaitPhase("a", v1::RANK_HALTED, 1);
  EXPECT_EQ(a.lost_node(), "");
  EXPECT_THAT(a.unheard_nodes(), ElementsAre("b"));
}

TEST_F(Runner, AHaltEndsAnEpochWhoseLinksDoNotComeUp) {
  absl::Notification called;
  tools_.open_epoch = [&](uint64_t, const v1::BeginEpoch&,
                          const StopSignal& stop) -> absl::StatusOr<std::unique_ptr<engine::Communicator>> {
    called.Notify();
    stop.notification().WaitForNotification();
    return absl::UnavailableError("gave up");
  };
  ASSERT_TRUE(Ready({"a"}));
  v1::RankOrder order;
  *order.mutable_begin() = BeginOf(1, 0, {"a", "b"});
  ASSERT_TRUE(Rank("a").Obey(order).ok());
  called.WaitForNotification();
  Halt("a", 1, "b is gone");
  EXPECT_EQ(AwaitPhase("a", v1::RANK_HALTED, 1).reason(), "b is gone");
}

TEST_F(Runner, ARankThatGoesIsLostToTheOthersByName) {
  absl::Notification go;
  HoldSlots("b", 3, 1, go);
  ASSERT_TRUE(Ready({"a", "b"}));
  Begin(1, 0, {"a", "b"}, {0, 1, 0, 1, 0, 1, 0, 1});
  ASSERT_TRUE(AwaitSteps("a", 3));
  Rank("b").End(absl::CancelledError("the worker stops"));
  EXPECT_EQ(AwaitPhase("a", v1::RANK_HALTED, 1).lost_node(), "b");
  EXPECT_EQ(Standing("a").reason(), "node b leaves: the worker stops");
  go.Notify();
  Rank("b").AwaitEnd();
}

TEST_F(Runner, AZombieStaysOutOfEpochsThatAreOver) {
  // b is stopped in the middle of a step; the others go on without it. When it wakes up, its links are refused.
  config_.checkpoint_every = 1;
  absl::Notification wake;
  HoldSlots("b", 3, 1, wake);
  ASSERT_TRUE(Ready({"a", "b"}));
  Begin(1, 0, {"b", "a"}, {1, 0, 1, 0, 1, 0, 1, 0});  // b leads
  ASSERT_TRUE(AwaitSteps("a", 3));
  Kill(1, 0);
  AwaitPhase("a", v1::RANK_HALTED, 1);
  Begin(2, 3, {"a"});
  ASSERT_TRUE(Await("a", v1::RANK_FINISHED, 2, 20));
  const auto of_the_past = [&] {
    const std::vector<Stored> all = stored();
    return std::count_if(all.begin(), all.end(), [](const Stored& one) { return one.file.epoch == 1; });
  };
  ASSERT_TRUE(Eventually([&] { return stored().back().file.step == 20; }));
  const auto before = of_the_past();
  wake.Notify();
  const v1::RankStanding b = AwaitPhase("b", v1::RANK_HALTED, 1);
  EXPECT_EQ(b.step(), 3U);
  EXPECT_EQ(b.epoch(), 1U);
  EXPECT_EQ(of_the_past(), before);
  // An order of the past changes nothing, and a begin without a state to come from halts.
  Begin(1, 3, {"b"});
  EXPECT_EQ(Standing("b").phase(), v1::RANK_HALTED);
  Begin(3, 20, {"a", "b"}, {}, "a", {"b"});
  ASSERT_TRUE(Await("b", v1::RANK_FINISHED, 3, 20));
  EXPECT_EQ(WeightsOf("b", 20), CountingTrainer::Expected(20, kSlots));
}

TEST_F(Runner, AHaltOutsideOfAnEpochOnlyTellsTheStandingAgain) {
  ASSERT_TRUE(Ready({"a"}));
  const size_t before = See("a").standings.size();
  Halt("a", 0);
  const std::vector<v1::RankStanding> standings = See("a").standings;
  ASSERT_EQ(standings.size(), before + 1);
  EXPECT_EQ(standings.back().phase(), v1::RANK_READY);
}

TEST_F(Runner, ValidationIsSharedAndSkippedWhereItWasDone) {
  config_.validate_every = 5;
  for (const char* node : {"a", "b"}) {
    hooks_[node].validation_loss = [](uint64_t step) { return 10.0 / static_cast<double>(step); };
  }
  ASSERT_TRUE(Ready({"a", "b"}));
  Begin(1, 0, {"a", "b"});
  ASSERT_TRUE(Await("a", v1::RANK_FINISHED, 1, 20));
  std::vector<uint64_t> at;
  for (const v1::ValidationDone& validation : See("a").validations) at.push_back(validation.step());
  EXPECT_THAT(at, ElementsAre(5, 10, 15, 20));
  EXPECT_THAT(See("b").validations, IsEmpty());

  // Everybody has finished, and begins once more: with what is validated nothing is left to do.
  ASSERT_TRUE(Await("b", v1::RANK_FINISHED, 1, 20));
  for (uint32_t rank = 0; rank < 2; ++rank) {
    v1::RankOrder order;
    *order.mutable_begin() = BeginOf(2, 20, {"a", "b"});
    order.mutable_begin()->set_rank(rank);
    order.mutable_begin()->set_validated_step(20);
    EXPECT_TRUE(Rank(rank == 0 ? "a" : "b").Obey(order).ok());
  }
  ASSERT_TRUE(Await("a", v1::RANK_FINISHED, 2, 20));
  EXPECT_THAT(See("a").validations, SizeIs(4));
}

TEST_F(Runner, ValidationThatDoesNotImproveEndsTheJobOnEveryRank) {
  config_.validate_every = 2;
  config_.early_stop_validations = 3;
  for (const char* node : {"a", "b"}) {
    hooks_[node].validation_loss = [](uint64_t step) { return step == 4 ? 1.0 : 2.0; };
  }
  ASSERT_TRUE(Ready({"a", "b"}));
  Begin(1, 0, {"a", "b"});
  ASSERT_TRUE(Await("a", v1::RANK_FINISHED, 1, 10));
  ASSERT_TRUE(Await("b", v1::RANK_FINISHED, 1, 10));
  EXPECT_EQ(Standing("b").reason(), "no improvement in 3 validations");
  // The first one, the best one, and the last.
  ASSERT_TRUE(Eventually([&] { return stored().size() == 3; }));
  std::vector<uint64_t> steps;
  for (const Stored& one : stored()) steps.push_back(one.file.step);
  EXPECT_THAT(steps, ElementsAre(2, 4, 10));
  EXPECT_EQ(stored()[1].weights, CountingTrainer::Expected(4, kSlots));
  EXPECT_EQ(stored()[1].file.validations->loss(), 1.0) << "stored after its validation";
  for (const v1::ValidationRecord& told : {Standing("b").validations(), *stored()[2].file.validations}) {
    EXPECT_EQ(told.step(), 10U);
    EXPECT_EQ(told.loss(), 2.0);
    EXPECT_EQ(told.best_step(), 4U);
    EXPECT_EQ(told.best_loss(), 1.0);
    EXPECT_EQ(told.since_best(), 3U);
  }
}

TEST_F(Runner, TheBestStateIsStoredAgainWhereItIsPassedAgain) {
  config_.validate_every = 5;
  config_.early_stop_validations = 1;
  hooks_["a"].validation_loss = [](uint64_t) { return 2.0; };
  ASSERT_TRUE(Ready({"a"}));
  v1::RankOrder order;
  *order.mutable_begin() = BeginOf(1, 0, {"a"});
  order.mutable_begin()->set_validated_step(15);
  order.mutable_begin()->set_best_validation_step(10);
  order.mutable_begin()->set_best_validation_loss(1.0);
  order.mutable_begin()->set_validations_since_best(1);
  EXPECT_TRUE(Rank("a").Obey(order).ok());
  ASSERT_TRUE(Await("a", v1::RANK_FINISHED, 1, 15)) << "and not before it is where it was";
  ASSERT_TRUE(Eventually([&] { return stored().size() == 2; }));
  EXPECT_EQ(stored()[0].file.step, 10U);
  EXPECT_EQ(stored()[0].weights, CountingTrainer::Expected(10, kSlots));
  EXPECT_THAT(See("a").validations, IsEmpty());
}

TEST_F(Runner, AStateThatIsNamedIsExportedInsteadOfTheLast) {
  ASSERT_TRUE(Ready({"a"}));
  Begin(1, 0, {"a"});
  ASSERT_TRUE(Await("a", v1::RANK_FINISHED, 1, 20));
  v1::RankOrder order;
  order.mutable_finish()->set_export_model(true);
  order.mutable_finish()->mutable_state()->set_name("nothing");
  EXPECT_TRUE(Rank("a").Obey(order).ok());
  ASSERT_TRUE(Eventually([&] { return See("a").exported.has_value(); }));
  EXPECT_THAT(See("a").exported->error(), HasSubstr("no such checkpoint"));
  order.mutable_finish()->mutable_state()->set_name("4");
  EXPECT_TRUE(Rank("a").Obey(order).ok());
  ASSERT_TRUE(Eventually([&] { return See("a").exported->error().empty(); }));
  EXPECT_EQ(See("a").exported->step(), 4U);
  EXPECT_EQ(See("a").exported->largest_difference(), 4.0) << "the fixture's word for the step";
  EXPECT_EQ(Standing("a").step(), 4U);
  EXPECT_EQ(Standing("a").phase(), v1::RANK_FINISHED);
}

TEST_F(Runner, ALossThatIsNotFiniteFailsTheRank) {
  hooks_["a"].not_finite_at = 4;
  hooks_["b"].not_finite_at = 4;
  ASSERT_TRUE(Ready({"a", "b"}));
  Begin(1, 0, {"a", "b"});
  ASSERT_TRUE(Eventually([&] { return See("a").failed && See("b").failed; }));
  EXPECT_EQ(See("a").failed->code(), static_cast<uint32_t>(absl::StatusCode::kFailedPrecondition));
  EXPECT_THAT(See("a").failed->error(), HasSubstr("step 5"));
  EXPECT_EQ(Rank("a").phase(), RankPhase::kFailed);
  EXPECT_TRUE(absl::IsNotFound(Rank("a").SendState(
      4, [] {}, [](uint64_t) {}, [](std::span<const uint8_t>) { return absl::OkStatus(); })));
  Begin(2, 4, {"a"});
  absl::SleepFor(absl::Milliseconds(20));
  EXPECT_EQ(Rank("a").phase(), RankPhase::kFailed);
}

TEST_F(Runner, AnOrderThatMakesNoSenseHalts) {
  ASSERT_TRUE(Ready({"a"}));
  Begin(1, 0, {"a"}, {0, 0, 0});
  EXPECT_THAT(AwaitPhase("a", v1::RANK_HALTED, 1).reason(), HasSubstr("slots"));
  v1::RankOrder order;
  *order.mutable_begin() = BeginOf(2, 0, {"b", "a"});
  order.mutable_begin()->set_rank(0);
  EXPECT_TRUE(Rank("a").Obey(order).ok());
  EXPECT_THAT(AwaitPhase("a", v1::RANK_HALTED, 2).reason(), HasSubstr("is not number 0"));
  EXPECT_TRUE(absl::IsInvalidArgument(Rank("a").Obey(v1::RankOrder())));
}

TEST_F(Runner, ExportIsToldAndLeavesTheStateUntilTheRankIsTold) {
  ASSERT_TRUE(Ready({"a"}));
  Begin(1, 0, {"a"});
  ASSERT_TRUE(Await("a", v1::RANK_FINISHED, 1, 20));
  Finish("a", true);
  ASSERT_TRUE(Eventually([&] { return See("a").exported.has_value(); }));
  EXPECT_EQ(See("a").exported->largest_difference(), 20.0);
  EXPECT_EQ(WeightsOf("a", 20), CountingTrainer::Expected(20, kSlots));
  Finish("a", false);
  Rank("a").AwaitEnd();
  EXPECT_TRUE(Rank("a").finished());
  EXPECT_EQ(Rank("a").phase(), RankPhase::kEnded);
}

}  // namespace
}  // namespace enigma::worker
