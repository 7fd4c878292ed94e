#include "coordinator/jobs/job_planner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace enigma::coordinator {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

Node MakeNode(const std::string& id, double flops, uint64_t free = 1 << 30, const std::string& contract = "cpu-v1") {
  Node node;
  node.id = id;
  node.state = NodeState::kReady;
  node.hello.mutable_capability()->set_flops_per_second(flops);
  node.hello.mutable_capability()->set_memory_bytes_per_second(1e10);
  node.hello.mutable_capability()->set_memory_free_bytes(free);
  node.hello.mutable_capability()->set_contract(contract);
  return node;
}

TEST(ChooseRanksTest, TheFastestComeFirstAndMembersBeforeThem) {
  const std::vector<Node> nodes = {MakeNode("a", 1e9), MakeNode("b", 3e9), MakeNode("c", 2e9)};
  EXPECT_THAT(ChooseRanks(nodes, {}).nodes, ElementsAre("b", "c", "a"));
  EXPECT_THAT(ChooseRanks(nodes, {.ranks_max = 2}).nodes, ElementsAre("b", "c"));
  EXPECT_THAT(ChooseRanks(nodes, {.ranks_max = 2, .members = {"a"}}).nodes, ElementsAre("a", "b"));
}

TEST(ChooseRanksTest, WhoMayNotIsNamedWithTheReason) {
  std::vector<Node> nodes = {MakeNode("small", 1e9, 10 << 20), MakeNode("left", 1e9), MakeNode("new", 0),
                             MakeNode("gone", 1e9)};
  nodes[1].leaving = true;
  nodes[3].state = NodeState::kDead;
  const RankChoice choice = ChooseRanks(nodes, {.memory_bytes = 20 << 20});
  EXPECT_THAT(choice.nodes, IsEmpty());
  EXPECT_THAT(choice.reasons, ElementsAre(HasSubstr("small has 10 MiB of memory free, and a rank needs 20 MiB"),
                                          HasSubstr("left is leaving"), HasSubstr("new still measures itself")));
}

TEST(ChooseRanksTest, AMembersMemoryIsItsOwn) {
  const std::vector<Node> nodes = {MakeNode("a", 1e9, 10 << 20)};
  EXPECT_THAT(ChooseRanks(nodes, {.memory_bytes = 20 << 20, .members = {"a"}}).nodes, ElementsAre("a"));
}

TEST(ChooseRanksTest, NodesOfOtherJobsAreTheirs) {
  const std::vector<Node> nodes = {MakeNode("a", 3e9), MakeNode("b", 2e9)};
  const RankChoice choice = ChooseRanks(nodes, {.taken = {"a"}});
  EXPECT_THAT(choice.nodes, ElementsAre("b"));
  EXPECT_THAT(choice.reasons, ElementsAre("node a works on another job"));
}

TEST(ChooseRanksTest, PlacesOfMembersOnTheirWayBackAreKept) {
  const std::vector<Node> nodes = {MakeNode("a", 3e9), MakeNode("b", 2e9)};
  EXPECT_THAT(ChooseRanks(nodes, {.ranks_max = 2, .awaited = 1}).nodes, ElementsAre("a"));
  const RankChoice none = ChooseRanks(nodes, {.ranks_max = 1, .taken = {"b"}, .awaited = 2});
  EXPECT_THAT(none.nodes, IsEmpty());
  EXPECT_THAT(none.reasons, ElementsAre("node b works on another job"));
}

TEST(ChooseRanksTest, WhoGaveTroubleComesLast) {
  const std::vector<Node> nodes = {MakeNode("a", 3e9), MakeNode("b", 2e9)};
  EXPECT_THAT(ChooseRanks(nodes, {.ranks_max = 1, .left_out = {"a"}}).nodes, ElementsAre("b"));
  EXPECT_THAT(ChooseRanks(nodes, {.ranks_max = 2, .left_out = {"a"}}).nodes, ElementsAre("b", "a"));
}

TEST(ChooseRanksTest, AllComputeAlike) {
  const std::vector<Node> nodes = {MakeNode("a", 3e9), MakeNode("b", 2e9, 1 << 30, "gpu-v1"),
                                   MakeNode("c", 2e9, 1 << 30, "gpu-v1")};
  const RankChoice choice = ChooseRanks(nodes, {});
  EXPECT_THAT(choice.nodes, ElementsAre("b", "c"));
  EXPECT_THAT(choice.Why(), HasSubstr("node a computes by the contract cpu-v1, and the others by gpu-v1"));
  EXPECT_THAT(ChooseRanks(nodes, {.members = {"a"}}).nodes, ElementsAre("a"));
}

Node Trusting(Node node) {
  node.hello.mutable_capability()->set_trusted_network(true);
  return node;
}

TEST(ChooseRanksTest, WhoDoesNotTrustItsNetworkSumsNothingInPlainText) {
  const std::vector<Node> nodes = {MakeNode("a", 3e9), Trusting(MakeNode("b", 2e9))};
  EXPECT_THAT(ChooseRanks(nodes, {}).nodes, ElementsAre("a", "b"));
  const RankChoice choice = ChooseRanks(nodes, {.trusted_network = true});
  EXPECT_THAT(choice.nodes, ElementsAre("b"));
  EXPECT_THAT(choice.reasons, ElementsAre(HasSubstr("node a was not started with --trusted-network")));
  EXPECT_THAT(ChooseRanks(nodes, {.trusted_network = true, .members = {"a"}}).nodes, ElementsAre("b"));
}

TEST(ChooseRanksTest, AsManyMustTrustTheirNetworksAsTheJobTakes) {
  std::vector<Node> nodes = {Trusting(MakeNode("alpha", 1e9)), MakeNode("beta", 1e9), MakeNode("gamma", 1e9)};
  const absl::Status refused = CheckNetworksTrusted(nodes, 0);
  EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(refused.message()), HasSubstr("--trusted-network; these were not: beta, gamma"));
  EXPECT_FALSE(CheckNetworksTrusted(nodes, 2).ok());
  EXPECT_TRUE(CheckNetworksTrusted(nodes, 1).ok());
  nodes[1].leaving = true;
  nodes[2].state = NodeState::kDead;
  EXPECT_TRUE(CheckNetworksTrusted(nodes, 0).ok());
  EXPECT_TRUE(CheckNetworksTrusted({}, 0).ok());
}

Job MakeJob(uint64_t id, JobState state, int32_t priority = 0) {
  Job job;
  job.id = id;
  job.state = state;
  job.priority = priority;
  job.submitted_unix_ms = static_cast<int64_t>(id);
  return job;
}

TEST(NextJobsTest, ByPriorityThenByAge) {
  using enum JobState;
  const std::vector<Job> jobs = {MakeJob(1, kQueued), MakeJob(2, kQueued, 5), MakeJob(3, kQueued, 5),
                                 MakeJob(4, kDone)};
  EXPECT_THAT(QueueOf(jobs), ElementsAre(2, 3, 1));
  EXPECT_THAT(NextJobs(jobs, {}, {.under_way_max = 9, .nodes = 9}), ElementsAre(2));
  EXPECT_THAT(NextJobs(jobs, {2}, {.under_way_max = 9, .nodes = 9}), IsEmpty()) << "it is being taken up";
}

TEST(NextJobsTest, BesideOthersOnWorkersThatTheyLeave) {
  using enum JobState;
  std::vector<Job> jobs = {MakeJob(1, kRunning), MakeJob(2, kQueued)};
  const auto next = [&](size_t nodes, size_t most) {
    return NextJobs(jobs, {1}, {.under_way_max = most, .nodes = nodes});
  };
  jobs[0].members = {"a", "b"};
  EXPECT_THAT(next(3, 8), IsEmpty()) << "the first takes all there are";
  jobs[0].workers_max = 3;
  EXPECT_THAT(next(3, 8), IsEmpty()) << "it waits for one more";
  jobs[0].workers_max = 2;
  EXPECT_THAT(next(3, 8), ElementsAre(2));
  EXPECT_THAT(next(2, 8), IsEmpty()) << "no node is left";
  EXPECT_THAT(next(3, 1), IsEmpty());
  jobs[0].members = {};
  EXPECT_THAT(next(3, 8), IsEmpty()) << "nobody knows yet which nodes it takes";
}

TEST(NextJobsTest, WhatWasUnderWayGoesOnFirst) {
  using enum JobState;
  const std::vector<Job> jobs = {MakeJob(1, kQueued, 9), MakeJob(2, kWaiting), MakeJob(3, kRunning),
                                 MakeJob(4, kFailed)};
  EXPECT_THAT(NextJobs(jobs, {}, {}), ElementsAre(2, 3));
  EXPECT_THAT(NextJobs(jobs, {2, 3}, {}), IsEmpty());
}

TEST(SpeedsTest, WhatIsNotMeasuredIsReckonedFromWhatIs) {
  EXPECT_THAT(SpeedsOf({0, 0}, {2e9, 1e9}), ElementsAre(2e9, 1e9));
  EXPECT_THAT(SpeedsOf({10, 0}, {2e9, 1e9}), ElementsAre(10, 5));
  EXPECT_THAT(SpeedsOf({10, 0}, {0, 0}), ElementsAre(10, 1));
}

}  // namespace
}  // namespace enigma::coordinator
