// Decisions of the background loops: who is to blame, and when to try again.
#include <memory>
#include <string>
#include <vector>

#include <absl/time/clock.h>
#include <gtest/gtest.h>

#include "coordinator/background/blame.h"
#include "coordinator/background/placement_keeper.h"
#include "coordinator/background/retry_pacing.h"
#include "coordinator/background/silence_checker.h"
#include "coordinator/background/stall.h"
#include "coordinator/state/link_table.h"
#include "coordinator/state/node_registry.h"
#include "coordinator/store/memory_store.h"
#include "telemetry/metrics.h"
#include "tests/support/eventually.h"
#include "tests/unit/coordinator/bare_plane.h"

namespace enigma::coordinator {
namespace {

using enigma::testing::Eventually;

TEST(CauseTest, IsTheOneThatExplainsTheOthers) {
  const FailureReport own{"b", "", "b failed"};
  const FailureReport a_lost_b{"a", "b", "a lost b"};
  const FailureReport b_lost_a{"b", "a", "b lost a"};
  const FailureReport c_lost_b{"c", "b", "c lost b"};
  const FailureReport a_lost_c{"a", "c", "a lost c"};
  const FailureReport stream_of_a{"", "a", "a broke its stream"};
  struct Case {
    std::vector<FailureReport> reports;
    std::string cause;
  };
  const std::vector<Case> cases = {
      {{own}, "b failed"},
      // A stage's own failure, however late it is heard.
      {{c_lost_b, a_lost_c, own}, "b failed"},
      {{stream_of_a, a_lost_c, c_lost_b, own}, "b failed"},
      // Who is lost and says nothing is gone; who lost it passes the news on.
      {{a_lost_c, c_lost_b}, "c lost b"},
      {{c_lost_b, a_lost_c}, "c lost b"},
      {{stream_of_a, c_lost_b, a_lost_c}, "c lost b"},
      // A cut link: both ends are there and have lost each other.
      {{a_lost_b, b_lost_a}, "a lost b"},
      {{b_lost_a, c_lost_b, a_lost_c}, "b lost a"},
      {{stream_of_a, a_lost_b, b_lost_a}, "a lost b"},
      {{stream_of_a}, "a broke its stream"},
  };
  for (size_t i = 0; i < cases.size(); ++i) {
    EXPECT_EQ(cases[i].reports[CauseAmong(cases[i].reports)].reason, cases[i].cause) << "case " << i;
  }
}

// A control plane without nodes, in which replicas are what the tests say.
class KeeperTest : public BarePlaneTest {
 protected:
  void SetUp() override {
    WantedPlacement wanted;
    wanted.id = 1;
    wanted.model = "tale";
    ASSERT_TRUE(wanted_.Add(wanted).ok());
    Model model;
    model.name = "tale";
    model_ = std::make_shared<const Model>(model);
  }
  void AddReady(uint64_t id) {
    Replica replica;
    replica.id = id;
    replica.wanted = 1;
    replica.model = model_;
    replicas_.Add(replica);
    ASSERT_TRUE(replicas_.MarkReady(id).ok());
  }
  // What the keeper says of the placement once it has cleared up after the replica.
  std::string ReasonAfter(uint64_t replica) {
    PlacementKeeper keeper(plane_, {.period = absl::Milliseconds(5)});
    EXPECT_TRUE(Eventually([&] { return !replicas_.Find(replica); }));
    return wanted_.List().at(0).state_reason;
  }

  ModelPtr model_;
};

TEST_F(KeeperTest, AReplicaWhoseSuccessorServesHasNotBroken) {
  AddReady(1);
  AddReady(2);
  ASSERT_TRUE(replicas_.MarkFailed(1, "node n0 is leaving"));
  EXPECT_EQ(ReasonAfter(1), "");
}

TEST_F(KeeperTest, AReplicaThatWasTheOnlyOneHasBroken) {
  AddReady(1);
  ASSERT_TRUE(replicas_.MarkFailed(1, "node n0 is gone"));
  EXPECT_NE(ReasonAfter(1), "");
}

class PacingTest : public ::testing::Test {
 protected:
  static absl::Duration At(int seconds) { return absl::Seconds(seconds); }
  RetryPacing pacing_{
      {.first = absl::Seconds(1), .most = absl::Seconds(30), .healthy = absl::Minutes(1), .remind = absl::Minutes(10)}};
};

TEST_F(PacingTest, WhatBreaksAgainAndAgainWaitsLongerAndLonger) {
  int now = 100;
  for (const int pause : {0, 1, 2, 4, 8, 16, 30, 30}) {
    pacing_.Began();
    pacing_.Serves(At(now));
    pacing_.Broke(At(now));
    EXPECT_EQ(pacing_.due(), At(now + pause));
    now += pause;
  }
}

TEST_F(PacingTest, AfterAWhileInServiceEarlierFailuresCountNoMore) {
  for (int i = 0; i < 5; ++i) pacing_.Broke(At(100));
  pacing_.Serves(At(200));
  pacing_.Serves(At(230));
  pacing_.Broke(At(259));
  EXPECT_GT(pacing_.due(), At(259)) << "59 s are not enough";
  pacing_.Serves(At(300));
  pacing_.Serves(At(330));
  pacing_.Broke(At(360));
  EXPECT_EQ(pacing_.due(), At(360));
}

TEST_F(PacingTest, ANodeThatComesEndsThePauseOnce) {
  for (int i = 0; i < 5; ++i) pacing_.AttemptFailed(At(100));
  EXPECT_GT(pacing_.due(), At(110));
  pacing_.NodeCame("a", At(105));
  EXPECT_EQ(pacing_.due(), At(105));
  pacing_.Began();
  pacing_.AttemptFailed(At(106));
  const absl::Duration due = pacing_.due();
  EXPECT_GT(due, At(110));
  pacing_.NodeCame("a", At(107));
  EXPECT_EQ(pacing_.due(), due) << "it came before";
  pacing_.NodeCame("b", At(108));
  EXPECT_EQ(pacing_.due(), At(108));
}

TEST_F(PacingTest, ANodeThatComesDuringAnAttemptCounts) {
  for (int i = 0; i < 5; ++i) pacing_.AttemptFailed(At(100));
  pacing_.Began();
  pacing_.NodeCame("a", At(140));
  pacing_.AttemptFailed(At(141));
  EXPECT_EQ(pacing_.due(), At(141));
}

TEST_F(PacingTest, TheSameReasonIsNewsOnlyAfterALongTime) {
  EXPECT_TRUE(pacing_.IsNews("2 stages need 2 nodes, 1 is there", At(0)));
  EXPECT_FALSE(pacing_.IsNews("2 stages need 2 nodes, 0 is there", At(30)));
  EXPECT_TRUE(pacing_.IsNews("the disk is full", At(60)));
  EXPECT_FALSE(pacing_.IsNews("the disk is full", At(600)));
  EXPECT_TRUE(pacing_.IsNews("the disk is full", At(700)));
}

TEST(LinkTableTest, WhatBrokeIsMeasuredAnew) {
  LinkTable links;
  const absl::Duration now = absl::Seconds(100);
  links.Put("a", "b", {1e-4, 1e9}, now);
  EXPECT_TRUE(links.Find("a", "b", now, absl::Minutes(5)));
  links.Suspect("b", "a");
  EXPECT_FALSE(links.Find("a", "b", now, absl::Minutes(5)));
  EXPECT_TRUE(links.IsSuspect("a", "b"));
  EXPECT_TRUE(links.IsSuspect("b", "a"));
  links.PutBroken("a", "b", "no answer", now);
  EXPECT_FALSE(links.IsSuspect("a", "b"));
  EXPECT_EQ(links.FindBroken("a", "b", now, absl::Seconds(10)), "no answer");
  EXPECT_FALSE(links.Find("a", "b", now, absl::Minutes(5)));
  EXPECT_FALSE(links.FindBroken("a", "b", now + absl::Seconds(11), absl::Seconds(10)));
  links.Forget("b");
  EXPECT_FALSE(links.IsSuspect("b", "a"));
}

TEST(StallTest, IsWorkWithoutAStepForTooLong) {
  struct Stage {
    uint64_t replica;
    uint32_t index;
    bool busy;
    int64_t age_ms;
  };
  struct Case {
    std::vector<Stage> stages;  // each on a node of its own, n0, n1, ...
    std::string node;           // that is named; empty: no stall
  };
  const std::vector<Case> cases = {
      {{}, ""},
      {{{7, 0, false, 3'600'000}}, ""},  // nothing to do
      {{{7, 0, false, -1}}, ""},
      {{{7, 0, true, 60'000}}, ""},  // busy, and within its time
      {{{7, 0, true, 60'001}}, "n0"},
      {{{8, 0, true, 90'000}}, ""},  // another replica's
      {{{7, 0, true, 90'000}, {7, 1, true, 80'000}}, "n1"},
      {{{7, 1, true, 80'000}, {7, 0, true, 90'000}}, "n0"},
      {{{7, 0, true, 90'000}, {7, 1, true, 10}}, "n0"},
      {{{7, 0, true, 90'000}, {7, 1, false, 90'000}}, "n0"},  // a frame was lost on its way
  };
  Replica replica;
  replica.id = 7;
  Model model;
  model.name = "tale";
  replica.model = std::make_shared<const Model>(model);
  for (const Case& c : cases) {
    std::vector<Node> nodes;
    for (const Stage& stage : c.stages) {
      Node& node = nodes.emplace_back();
      node.id = "n" + std::to_string(nodes.size() - 1);
      auto& status = node.stages.emplace_back();
      status.set_replica(stage.replica);
      status.set_stage_index(stage.index);
      status.set_busy(stage.busy);
      status.set_last_step_age_ms(stage.age_ms);
    }
    const auto stall = StallOf(replica, nodes, absl::Seconds(60));
    EXPECT_EQ(stall ? stall->node_id : "", c.node);
    if (!stall) continue;
    EXPECT_NE(stall->reason.find("tale on node " + c.node), std::string::npos) << stall->reason;
  }
}

class NodesTest : public ::testing::Test {
 protected:
  NodesTest() { EXPECT_TRUE(Attend("n0").ok()); }
  absl::Status Attend(const std::string& id) {
    enigma::v1::WorkerHello hello;
    hello.set_node_id(id);
    hello.set_incarnation(1);
    return nodes_.Attend(hello, "10.0.0.2");
  }
  MemoryStore store_;
  NodeRegistry nodes_{store_, Clock::System()};
};

TEST_F(NodesTest, FoundByFollowsWhatIsAnnouncedNow) {
  EXPECT_EQ(nodes_.Find("n0")->found_by, "");
  nodes_.NoteSightings({{"n0", "udp"}, {"n1", "udp"}});
  EXPECT_EQ(nodes_.Find("n0")->found_by, "udp");
  ASSERT_TRUE(Attend("n1").ok());
  EXPECT_EQ(nodes_.Find("n1")->found_by, "udp");
  nodes_.NoteSightings({{"n1", "udp"}});
  EXPECT_EQ(nodes_.Find("n0")->found_by, "") << "its beacons are heard no more";
}

TEST_F(NodesTest, TheUseOfKvBlocksIsAMetric) {
  enigma::v1::Heartbeat heartbeat;
  auto* first = heartbeat.add_stages();
  first->set_model("m");
  first->set_kv_usage(0.75);
  heartbeat.add_stages()->set_stage_index(1);
  ASSERT_TRUE(nodes_.Heartbeat("n0", 1, heartbeat));
  Metrics metrics;
  const SilenceChecker checker(nodes_, Clock::System(), metrics, absl::Minutes(1));
  const auto reaches = [&](double value) {
    return Eventually([&] { return metrics.Gauge(Metric::kKvCacheUsage, {{"model_name", "m"}}).Value() == value; });
  };
  EXPECT_TRUE(reaches(0.75));
  ASSERT_TRUE(nodes_.Heartbeat("n0", 1, {}));
  EXPECT_TRUE(reaches(0)) << "the model was unloaded";
}

TEST_F(NodesTest, PreemptionsAreCountedOnceEach) {
  Metrics metrics;
  const SilenceChecker checker(nodes_, Clock::System(), metrics, absl::Minutes(1));
  const auto& counter = metrics.Counter(Metric::kPreemptions, {{"model_name", "m"}});
  const auto beat = [&](uint64_t replica, uint64_t preemptions, double expected) {
    enigma::v1::Heartbeat heartbeat;
    heartbeat.add_stages()->set_model("m");
    heartbeat.mutable_stages(0)->set_replica(replica);
    heartbeat.mutable_stages(0)->set_preemptions(preemptions);
    ASSERT_TRUE(nodes_.Heartbeat("n0", 1, heartbeat));
    EXPECT_TRUE(Eventually([&] { return counter.Value() >= expected; }));
    absl::SleepFor(absl::Milliseconds(450));  // two more looks at the same heartbeat
    EXPECT_EQ(counter.Value(), expected);
  };
  beat(1, 3, 3);
  beat(1, 5, 5);
  beat(2, 1, 6);
}

}  // namespace
}  // namespace enigma::coordinator
