#include "worker/training/rank_registry.h"

#include <set>

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

class Registry : public RankFixture {
 protected:
  Registry() {
    tools_.clean_up = [this](const std::set<uint64_t>& jobs) {
      absl::MutexLock lock(&mutex_);
      kept_ = jobs;
    };
  }
  RankRegistry& Make() {
    registry_ = std::make_unique<RankRegistry>(
        RankRegistry::Options{.node_id = "a",
                              .threads = 1,
                              .tools = tools_,
                              .free_bytes = [this] { return free_bytes_ - registry_->memory().given_bytes; },
                              .look_every = absl::Milliseconds(5)},
        clock_);
    return *registry_;
  }
  v1::PrepareRank Order(uint64_t job) {
    v1::PrepareRank order = order_;
    order.set_job(job);
    order.set_config_json(engine::TrainingConfigToJson(config_));
    return order;
  }
  std::set<uint64_t> kept() {
    absl::MutexLock lock(&mutex_);
    return kept_;
  }

  uint64_t free_bytes_ = 2500;
  absl::Mutex mutex_;
  std::set<uint64_t> kept_;
  std::unique_ptr<RankRegistry> registry_;
};

TEST_F(Registry, ARankThatIsHereIsKept) {
  RankRegistry& registry = Make();
  const auto rank = registry.Prepare(Order(1));
  ASSERT_TRUE(rank.ok()) << rank.status();
  const auto again = registry.Prepare(Order(1));
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(*rank, *again);
  EXPECT_EQ(registry.size(), 1U);
  EXPECT_TRUE(registry.Find(1).ok());
  EXPECT_TRUE(absl::IsNotFound(registry.Find(2).status()));
}

TEST_F(Registry, RanksDoNotCountOnTheSameMemory) {
  absl::Notification go;
  const auto prepare = tools_.prepare;
  tools_.prepare = [&](const v1::PrepareRank& order, const engine::TrainingConfig& config, engine::ThreadPool& pool,
                       FetchProgress& progress, const StopSignal& stop) {
    go.WaitForNotification();
    return prepare(order, config, pool, progress, stop);
  };
  RankRegistry& registry = Make();
  ASSERT_TRUE(registry.Prepare(Order(1)).ok());
  ASSERT_TRUE(registry.Prepare(Order(2)).ok());
  EXPECT_EQ(registry.memory().given_bytes, 2000U);
  EXPECT_EQ(registry.memory().pending_bytes, 2000U);
  const absl::Status third = registry.Prepare(Order(3)).status();
  EXPECT_TRUE(absl::IsResourceExhausted(third)) << third;
  EXPECT_THAT(std::string(third.message()), HasSubstr("500 too few"));
  go.Notify();
  EXPECT_TRUE(Eventually([&] { return registry.memory().pending_bytes == 0; }));
  EXPECT_EQ(registry.memory().given_bytes, 2000U);
  registry.Drop(*registry.Find(1));
  EXPECT_TRUE(registry.Prepare(Order(3)).ok());
  registry_.reset();  // before what its ranks prepare with
}

TEST_F(Registry, AWrongConfigurationIsRefused) {
  RankRegistry& registry = Make();
  config_.slots = 0;
  EXPECT_TRUE(absl::IsInvalidArgument(registry.Prepare(Order(1)).status()));
  v1::PrepareRank order = Order(1);
  order.set_config_json("{");
  EXPECT_TRUE(absl::IsInvalidArgument(registry.Prepare(order).status()));
  EXPECT_EQ(registry.size(), 0U);
}

TEST_F(Registry, ARankOutlivesItsStreamForAsLongAsTheJobAllows) {
  RankRegistry& registry = Make();
  const std::shared_ptr<RankRunner> rank = *registry.Prepare(Order(1));
  const uint64_t reader = rank->reporter().Attach();
  clock_.Advance(absl::Seconds(1000));
  absl::SleepFor(absl::Milliseconds(30));
  EXPECT_EQ(registry.size(), 1U) << "somebody reads";
  rank->reporter().Detach(reader);
  clock_.Advance(absl::Seconds(59));
  absl::SleepFor(absl::Milliseconds(30));
  EXPECT_EQ(registry.size(), 1U) << "the coordinator may come back";
  // It does, and says that the rank may wait for longer.
  v1::PrepareRank order = Order(1);
  order.set_orphan_seconds(100);
  EXPECT_EQ(*registry.Prepare(order), rank);
  rank->reporter().Detach(rank->reporter().Attach());
  clock_.Advance(absl::Seconds(99));
  absl::SleepFor(absl::Milliseconds(30));
  EXPECT_EQ(registry.size(), 1U);
  clock_.Advance(absl::Seconds(1));
  EXPECT_TRUE(Eventually([&] { return registry.size() == 0; }));
  EXPECT_EQ(rank->phase(), RankPhase::kEnded);
  EXPECT_FALSE(rank->finished()) << "what it has on disk may be needed again";
}

TEST_F(Registry, AnOrphanThatRunsEndsToo) {
  hooks_[""].before_slot = [](uint64_t, uint32_t) { absl::SleepFor(absl::Milliseconds(1)); };
  config_.steps = 1'000'000;
  RankRegistry& registry = Make();
  const std::shared_ptr<RankRunner> rank = *registry.Prepare(Order(1));
  ASSERT_TRUE(Eventually([&] { return rank->phase() == RankPhase::kReady; }));
  v1::RankOrder begin;
  *begin.mutable_begin() = BeginOf(1, 0, {"a"});
  ASSERT_TRUE(rank->Obey(begin).ok());
  ASSERT_TRUE(Eventually([&] { return rank->reporter().standing().step() > 2; }));
  clock_.Advance(absl::Seconds(60));
  EXPECT_TRUE(Eventually([&] { return registry.size() == 0; }));
}

TEST_F(Registry, AFailureIsToldBeforeTheRankIsMadeAnew) {
  std::atomic<int> prepared{0};
  const auto prepare = tools_.prepare;
  tools_.prepare = [&](const v1::PrepareRank& order, const engine::TrainingConfig& config, engine::ThreadPool& pool,
                       FetchProgress& progress, const StopSignal& stop) -> absl::StatusOr<PreparedRank> {
    if (++prepared == 1) return absl::UnavailableError("the coordinator cannot be reached");
    return prepare(order, config, pool, progress, stop);
  };
  RankRegistry& registry = Make();
  const std::shared_ptr<RankRunner> failed = *registry.Prepare(Order(1));
  ASSERT_TRUE(Eventually([&] { return failed->phase() == RankPhase::kFailed; }));
  EXPECT_EQ(registry.memory().given_bytes, 0U);
  ASSERT_EQ(*registry.Prepare(Order(1)), failed) << "nobody has heard of it";
  const uint64_t reader = failed->reporter().Attach();
  v1::RankEvent event;
  bool told = false;
  while (failed->reporter().Next(reader, absl::Milliseconds(50), event) == RankReporter::Wait::kEvent) {
    told |= event.has_failed() && event.failed().code() == static_cast<uint32_t>(absl::StatusCode::kUnavailable);
  }
  ASSERT_TRUE(told);
  const auto anew = registry.Prepare(Order(1));
  ASSERT_TRUE(anew.ok());
  EXPECT_NE(*anew, failed);
  EXPECT_TRUE(Eventually([&] { return (*anew)->phase() == RankPhase::kReady; }));
  registry_.reset();
}

TEST_F(Registry, WhatIsOnDiskGoesWithTheJob) {
  RankRegistry& registry = Make();
  ASSERT_TRUE(registry.Prepare(Order(1)).ok());
  EXPECT_THAT(kept(), ElementsAre(1)) << "of jobs before";
  ASSERT_TRUE(registry.Prepare(Order(2)).ok());
  EXPECT_THAT(kept(), ElementsAre(1, 2));
  v1::RankOrder finish;
  finish.mutable_finish();
  ASSERT_TRUE((*registry.Find(1))->Obey(finish).ok());
  EXPECT_TRUE(Eventually([&] { return registry.size() == 1; }));
  EXPECT_TRUE(Eventually([&] { return kept() == std::set<uint64_t>{2}; }));
}

TEST_F(Registry, CloseEndsAllRanks) {
  RankRegistry& registry = Make();
  const std::shared_ptr<RankRunner> rank = *registry.Prepare(Order(1));
  registry.Close(absl::CancelledError("the worker stops"));
  EXPECT_EQ(rank->phase(), RankPhase::kEnded);
  EXPECT_TRUE(absl::IsUnavailable(registry.Prepare(Order(2)).status()));
}

}  // namespace
}  // namespace enigma::worker
