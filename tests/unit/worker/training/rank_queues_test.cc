#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/worker/training/turned_clock.h"
#include "worker/training/rank_orders.h"
#include "worker/training/rank_reporter.h"

namespace enigma::worker {
namespace {

using ::testing::ElementsAre;

v1::BeginEpoch Begin(uint64_t epoch) {
  v1::BeginEpoch begin;
  begin.set_epoch(epoch);
  return begin;
}

v1::HaltEpoch Halt(uint64_t epoch) {
  v1::HaltEpoch halt;
  halt.set_epoch(epoch);
  halt.set_reason("somebody died");
  return halt;
}

TEST(RankOrders, EpochsOnlyGoForward) {
  RankOrders orders;
  int accepted = 0;
  const auto count = [&] { ++accepted; };
  EXPECT_TRUE(orders.Begin(Begin(4), count));
  EXPECT_FALSE(orders.Begin(Begin(4), count));
  EXPECT_FALSE(orders.Begin(Begin(3), count));
  EXPECT_TRUE(orders.Begin(Begin(6), count));
  EXPECT_EQ(accepted, 2);
  const RankOrders::Next next = orders.Await(absl::ZeroDuration());
  ASSERT_TRUE(next.epoch);
  EXPECT_EQ(next.epoch->begin.epoch(), 6U) << "the newest";
  EXPECT_FALSE(orders.Await(absl::ZeroDuration()).epoch);
}

TEST(RankOrders, ANewEpochEndsTheOneUnderWay) {
  RankOrders orders;
  orders.Begin(Begin(1), [] {});
  const auto first = orders.Await(absl::ZeroDuration()).epoch;
  EXPECT_FALSE(first->stop->stopped());
  orders.Begin(Begin(2), [] {});
  EXPECT_TRUE(first->stop->stopped());
  EXPECT_FALSE(orders.Over());
  const auto second = orders.Await(absl::ZeroDuration()).epoch;
  EXPECT_FALSE(second->stop->stopped());
  EXPECT_TRUE(orders.Over());
}

TEST(RankOrders, AHaltStopsItsEpochOrAnOlderOne) {
  RankOrders orders;
  EXPECT_FALSE(orders.Halt(Halt(1))) << "nothing runs";
  orders.Begin(Begin(5), [] {});
  EXPECT_FALSE(orders.Halt(Halt(4))) << "of the past";
  const auto epoch = orders.Await(absl::ZeroDuration()).epoch;
  EXPECT_FALSE(epoch->stop->stopped());
  EXPECT_TRUE(orders.Halt(Halt(5)));
  EXPECT_EQ(epoch->stop->reason().message(), "somebody died");
  orders.Over();
  EXPECT_FALSE(orders.Halt(Halt(5)));
}

TEST(RankOrders, AnEpochCanBeHaltedBeforeItIsTaken) {
  RankOrders orders;
  orders.Begin(Begin(5), [] {});
  EXPECT_TRUE(orders.Halt(Halt(5)));
  const auto epoch = orders.Await(absl::ZeroDuration()).epoch;
  ASSERT_TRUE(epoch);
  EXPECT_TRUE(epoch->stop->stopped());
}

TEST(RankOrders, ControlBitsAddUpUntilTheyAreCarried) {
  RankOrders orders;
  orders.Control(1);
  EXPECT_EQ(orders.control(), 0U) << "no epoch, nobody to carry them";
  orders.Begin(Begin(1), [] {});
  orders.Await(absl::ZeroDuration());
  orders.Control(1);
  orders.Control(4);
  EXPECT_EQ(orders.control(), 5U);
  orders.ClearControl(1);
  EXPECT_EQ(orders.control(), 4U);
  orders.Begin(Begin(2), [] {});
  EXPECT_EQ(orders.control(), 0U);
}

TEST(RankOrders, AnExportIsTakenOnceUnlessItFailed) {
  RankOrders orders;
  orders.Export();
  orders.Export();  // a coordinator that started anew
  EXPECT_TRUE(orders.Await(absl::ZeroDuration()).export_model);
  orders.Export();  // while it is under way
  EXPECT_FALSE(orders.Await(absl::ZeroDuration()).export_model);
  orders.ExportFailed();
  orders.Export();
  EXPECT_TRUE(orders.Await(absl::ZeroDuration()).export_model);
}

TEST(RankOrders, TheEndEndsEverything) {
  RankOrders orders;
  orders.Begin(Begin(1), [] {});
  const auto epoch = orders.Await(absl::ZeroDuration()).epoch;
  orders.Begin(Begin(2), [] {});
  orders.Export();
  orders.End(absl::CancelledError("enough"));
  EXPECT_TRUE(epoch->stop->stopped());
  EXPECT_TRUE(orders.ending().stopped());
  const RankOrders::Next next = orders.Await(absl::InfiniteDuration());
  EXPECT_FALSE(next.epoch);
  EXPECT_FALSE(next.export_model);
  EXPECT_FALSE(orders.Begin(Begin(3), [] {}));
}

class Reporter : public ::testing::Test {
 protected:
  static v1::RankEvent Step(uint64_t step) {
    v1::RankEvent event;
    event.mutable_step()->set_step(step);
    return event;
  }
  static v1::RankStanding Standing(v1::RankPhase phase, uint64_t epoch, uint64_t step) {
    v1::RankStanding standing;
    standing.set_phase(phase);
    standing.set_epoch(epoch);
    standing.set_step(step);
    return standing;
  }
  // What waits for this reader, in short.
  std::vector<std::string> Read(uint64_t reader) {
    std::vector<std::string> events;
    v1::RankEvent event;
    while (reporter_.Next(reader, absl::ZeroDuration(), event) == RankReporter::Wait::kEvent) {
      if (event.has_standing()) {
        events.push_back(std::to_string(event.standing().phase()) + "@" + std::to_string(event.standing().epoch()) +
                         ":" + std::to_string(event.standing().step()));
      }
      if (event.has_step()) events.push_back("step " + std::to_string(event.step().step()));
      if (event.has_validation()) events.push_back("validated " + std::to_string(event.validation().step()));
      if (event.has_failed()) events.push_back("failed");
      if (event.has_exported()) events.push_back("exported " + event.exported().error());
    }
    return events;
  }

  TurnedClock clock_;
  RankReporter reporter_{clock_, /*events_max=*/6};
};

TEST_F(Reporter, EveryReaderBeginsWithTheStandingAsItIsNow) {
  reporter_.Stand(Standing(v1::RANK_READY, 0, 0));
  reporter_.Stand(Standing(v1::RANK_RUNNING, 1, 0));
  reporter_.AtStep(5);
  reporter_.Report(Step(5));
  const uint64_t first = reporter_.Attach();
  EXPECT_THAT(Read(first), ElementsAre("2@1:5", "step 5"));
  reporter_.AtStep(6);
  const uint64_t second = reporter_.Attach();
  EXPECT_THAT(Read(second), ElementsAre("2@1:6"));
  v1::RankEvent event;
  EXPECT_EQ(reporter_.Next(first, absl::InfiniteDuration(), event), RankReporter::Wait::kEnded);
}

TEST_F(Reporter, WhatWasHandedToABrokenStreamIsToldAgain) {
  const uint64_t first = reporter_.Attach();
  Read(first);
  reporter_.Report(Step(1));
  v1::RankEvent event;
  ASSERT_EQ(reporter_.Next(first, absl::ZeroDuration(), event), RankReporter::Wait::kEvent);
  const uint64_t second = reporter_.Attach();
  EXPECT_THAT(Read(second), ElementsAre("0@0:0", "step 1"));
}

TEST_F(Reporter, FailureAndExportAreToldToEveryStream) {
  v1::RankEvent failed, exported;
  failed.mutable_failed()->set_code(9);
  exported.mutable_exported()->set_error("first");
  reporter_.ReportLasting(exported);
  exported.mutable_exported()->set_error("second");
  reporter_.ReportLasting(exported);
  reporter_.ReportLasting(failed);
  EXPECT_FALSE(reporter_.FailureDelivered());
  EXPECT_THAT(Read(reporter_.Attach()), ElementsAre("0@0:0", "exported second", "failed"));
  EXPECT_TRUE(reporter_.FailureDelivered());
  EXPECT_THAT(Read(reporter_.Attach()), ElementsAre("0@0:0", "exported second", "failed"));
}

TEST_F(Reporter, ValidationsOfTheEpochAreToldToEveryStream) {
  const auto validation = [](uint64_t step) {
    v1::RankEvent event;
    event.mutable_validation()->set_step(step);
    return event;
  };
  reporter_.Accept(1);
  reporter_.ReportLasting(validation(5));
  EXPECT_THAT(Read(reporter_.Attach()), ElementsAre("2@1:0", "validated 5"));
  reporter_.ReportLasting(validation(10));
  EXPECT_THAT(Read(reporter_.Attach()), ElementsAre("2@1:0", "validated 5", "validated 10"));
  reporter_.Accept(2);
  reporter_.ReportLasting(validation(15));
  EXPECT_THAT(Read(reporter_.Attach()), ElementsAre("2@2:0", "validated 15"));
}

TEST_F(Reporter, StepsGiveWayWhenNobodyReads) {
  reporter_.Stand(Standing(v1::RANK_RUNNING, 1, 0));
  v1::RankEvent failed;
  failed.mutable_failed()->set_code(9);
  reporter_.ReportLasting(failed);
  for (uint64_t step = 1; step <= 20; ++step) reporter_.Report(Step(step));
  EXPECT_THAT(Read(reporter_.Attach()), ElementsAre("2@1:0", "failed", "step 17", "step 18", "step 19", "step 20"));
}

TEST_F(Reporter, AnAcceptedEpochHidesTheEndOfTheOneBefore) {
  const uint64_t reader = reporter_.Attach();
  Read(reader);
  reporter_.Stand(Standing(v1::RANK_RUNNING, 1, 10));
  reporter_.Accept(2);
  reporter_.Stand(Standing(v1::RANK_HALTED, 1, 11));
  reporter_.Stand(Standing(v1::RANK_HALTED, 2, 11));
  EXPECT_THAT(Read(reader), ElementsAre("2@1:10", "2@2:10", "4@2:11"));
}

TEST_F(Reporter, CountsTheTimeWithoutAReader) {
  clock_.Advance(absl::Seconds(3));
  EXPECT_EQ(reporter_.Unread(), absl::Seconds(3));
  const uint64_t first = reporter_.Attach();
  const uint64_t second = reporter_.Attach();
  clock_.Advance(absl::Seconds(3));
  reporter_.Detach(first);
  EXPECT_EQ(reporter_.Unread(), absl::ZeroDuration()) << "another one reads";
  reporter_.Detach(second);
  clock_.Advance(absl::Seconds(2));
  EXPECT_EQ(reporter_.Unread(), absl::Seconds(2));
}

TEST_F(Reporter, AClosedOneIsReadToItsEnd) {
  const uint64_t reader = reporter_.Attach();
  reporter_.Report(Step(1));
  reporter_.Close();
  reporter_.Report(Step(2));
  EXPECT_THAT(Read(reader), ElementsAre("0@0:0", "step 1"));
  v1::RankEvent event;
  EXPECT_EQ(reporter_.Next(reader, absl::InfiniteDuration(), event), RankReporter::Wait::kEnded);
}

}  // namespace
}  // namespace enigma::worker
