// Who goes where memory is short, when one of those that should go stays.
#include "coordinator/operations/make_room.h"

#include <algorithm>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "coordinator/operations/import_model.h"
#include "coordinator/operations/plan_model.h"
#include "coordinator/placement/placed_bytes.h"
#include "tests/support/synthetic_models.h"
#include "tests/unit/coordinator/bare_plane.h"
#include "tests/unit/coordinator/fake_worker.h"

namespace enigma::coordinator {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

// One node, whose memory is taken by idle models; "coming" wants to be there, too.
class MakeRoomTest : public BarePlaneTest {
 protected:
  void SetUp() override {
    Import("coming");
    enigma::v1::WorkerHello hello;
    hello.set_node_id(kNode);
    hello.set_incarnation(1);
    hello.add_addresses("127.0.0.1");
    hello.set_grpc_port(static_cast<uint32_t>(worker_.port()));
    hello.mutable_capability()->set_memory_bytes_per_second(1e10);
    hello.mutable_capability()->set_flops_per_second(1e11);
    hello.mutable_capability()->set_memory_free_bytes(uint64_t{1} << 40);
    ASSERT_TRUE(nodes_.Attend(hello, "").ok());
    options_.set_sequences(1);  // the least that it needs
    const auto plan = PlanModel(plane_, "coming", options_);
    ASSERT_TRUE(plan.ok()) << plan.status();
    ASSERT_EQ(plan->placement.reply.stages_size(), 1);
    needed_ = PlacedBytes(plan->placement.reply.stages(0));
    Tell(0);
  }
  void Import(const std::string& name) {
    const auto model =
        ImportModel(plane_, {.path = enigma::testing::SyntheticModelPath("tiny", "q8_0"), .encoder = "", .name = name});
    ASSERT_TRUE(model.ok()) << model.status();
  }
  // In service, and so large.
  void Place(const std::string& name, uint64_t id, uint64_t bytes) {
    Import(name);
    Replica replica;
    replica.id = id;
    replica.model = *models_.Find(name);
    replica.stages.emplace_back().set_node_id(kNode);
    replica.stages.back().set_weight_bytes(bytes);
    replicas_.Add(replica);
    ASSERT_TRUE(replicas_.MarkReady(id).ok());
  }
  // The node's heartbeat: what is in service, and what is free besides.
  void Tell(uint64_t free_bytes) {
    enigma::v1::Heartbeat heartbeat;
    heartbeat.set_memory_free_bytes(free_bytes);
    for (const Replica& replica : replicas_.List()) heartbeat.add_stages()->set_replica(replica.id);
    ASSERT_TRUE(nodes_.Heartbeat(kNode, 1, heartbeat));
  }
  std::vector<std::string> InService() const {
    std::vector<std::string> names;
    for (const Replica& replica : replicas_.List()) names.push_back(replica.model->name);
    return names;
  }
  // All that are in service may go, but `refused`. `heard` runs whenever one has gone.
  absl::Status Make(const std::set<std::string>& refused, const std::function<void()>& heard) {
    std::vector<std::string> idle = InService();
    std::sort(idle.begin(), idle.end());
    return MakeRoom(plane_, "coming", options_,
                    {.models = idle,
                     .claim =
                         [&](const std::string& model) {
                           claimed_.push_back(model);
                           return !refused.contains(model);
                         },
                     .release =
                         [&](const std::string& model) {
                           released_.push_back(model);
                           heard();
                         }},
                    [this] {
                      if (while_it_waits_) while_it_waits_();
                      return false;
                    });
  }

  static constexpr char kNode[] = "n0";
  testing::FakePipelines pipelines_;
  testing::FakeWorker worker_{pipelines_, {.node_id = kNode, .host_name = "host"}};
  enigma::v1::PlanOptions options_;
  uint64_t needed_ = 0;
  std::function<void()> while_it_waits_;
  std::vector<std::string> claimed_;
  std::vector<std::string> released_;
};

TEST_F(MakeRoomTest, AnotherGoesForOneThatHasTakenUpWork) {
  const uint64_t enough = needed_ * 6 / 5;
  Place("one", 1, enough);
  Place("two", 2, enough);
  const absl::Status made = Make({"one"}, [&] { Tell(enough); });
  EXPECT_TRUE(made.ok()) << made;
  EXPECT_THAT(InService(), ElementsAre("one"));
  EXPECT_THAT(claimed_, ElementsAre("one", "two"));
  EXPECT_THAT(released_, ElementsAre("two")) << "what was not claimed is not released";
}

TEST_F(MakeRoomTest, WhatWentIsCountedBeforeItIsReckonedWhoElseGoes) {
  const uint64_t half = needed_ * 7 / 10;
  Place("one", 1, half);
  Place("three", 3, half);
  Place("two", 2, half);
  uint64_t free = 0;
  bool told = false;
  // The heartbeat that tells of the first is a while behind.
  while_it_waits_ = [&] {
    if (released_.empty() || std::exchange(told, true)) return;
    Tell(free);
  };
  const absl::Status made = Make({"three"}, [&] {
    free += half;
    if (told) Tell(free);
  });
  EXPECT_TRUE(made.ok()) << made;
  EXPECT_TRUE(told);
  EXPECT_THAT(InService(), ElementsAre("three"));
  EXPECT_THAT(claimed_, ElementsAre("one", "three", "two"));
}

TEST_F(MakeRoomTest, NothingGoesWhereAllWouldNotBeEnough) {
  Place("one", 1, needed_ / 4);
  Place("two", 2, needed_ / 4);
  const absl::Status made = Make({}, [] {});
  EXPECT_EQ(made.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(made.message()), HasSubstr("also without one, two"));
  EXPECT_THAT(InService(), UnorderedElementsAre("one", "two"));
  EXPECT_THAT(claimed_, ::testing::IsEmpty());
}

TEST_F(MakeRoomTest, WhereTooFewMayGoItIsSaidAndTheRestStays) {
  const uint64_t enough = needed_ * 6 / 5;
  Place("one", 1, enough);
  Place("two", 2, needed_ / 4);
  const absl::Status made = Make({"one"}, [] {});
  EXPECT_EQ(made.code(), absl::StatusCode::kFailedPrecondition) << made;
  EXPECT_THAT(InService(), UnorderedElementsAre("one", "two"));
}

}  // namespace
}  // namespace enigma::coordinator
