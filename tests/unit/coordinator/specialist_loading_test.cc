// Specialists that come into service when they are wanted, and go where others need their memory.
#include <future>

#include <absl/strings/str_cat.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/coordinator/routing_fixture.h"

namespace enigma::coordinator::testing {
namespace {

using ::testing::HasSubstr;

TEST_F(RoutingTest, TheFallbackAnswersForASpecialistWhoseNodeIsGone) {
  std::string registry(kRegistry);
  registry.insert(registry.find("fallback"), "nodes: [n0], ");
  Begin(registry, 2);
  EXPECT_EQ(Chosen(Complete("python")), "200 coder by keyword");
  ASSERT_TRUE(Load("talker", 1).ok());
  // Where it stands is as placement likes.
  const std::string of_talker = Replicas("talker")[0].stages(0).node_id();
  if (of_talker == "n0") {
    ASSERT_TRUE(Unload("talker").ok());
    grpc::ClientContext context;
    enigma::v1::LoadRequest load;
    load.set_model("talker");
    load.mutable_options()->add_nodes("n1");
    const auto stream = cluster_->Load(&context, load);
    enigma::v1::LoadProgress progress;
    while (stream->Read(&progress)) {
    }
    ASSERT_TRUE(stream->Finish().ok());
  }
  workers_[0]->Kill();
  ASSERT_TRUE(WaitForState("ready", 1));
  const HttpAnswer answer = Complete("python");
  EXPECT_EQ(Chosen(answer), "200 talker by keyword") << answer.body;
  EXPECT_EQ(Header(answer, "x-enigma-node"), "n1");
}

TEST_F(RoutingTest, TheLeastRecentlyUsedGivesWayWhereMemoryIsShort) {
  FakeWorker::Options small;
  small.stages_max = 1;
  Begin(kRegistry, 1, small);
  EXPECT_EQ(Chosen(Complete("python")), "200 coder by keyword");
  ASSERT_TRUE(MemoryIsShort());
  EXPECT_EQ(Chosen(CompleteWhereAnotherGoes("plus")), "200 summer by keyword");
  EXPECT_TRUE(Replicas("coder").empty()) << "it gave way";
  ASSERT_TRUE(MemoryIsShort());
  // One that serves does not.
  pipelines_.SetManner(FakePipelines::Manner::kHold);
  pipelines_.ForgetRequests();
  auto held = std::async(std::launch::async, [&] { return Complete("plus"); });
  ASSERT_TRUE(Eventually([&] { return pipelines_.opened().size() == 1; }));
  const HttpAnswer refused = Complete("python");
  EXPECT_EQ(refused.status, 503);
  EXPECT_THAT(Message(refused), HasSubstr("cannot place"));
  EXPECT_EQ(Replicas("summer").size(), 1u);
  pipelines_.FinishHeld();
  EXPECT_EQ(Chosen(held.get()), "200 summer by keyword");
}

TEST_F(RoutingTest, WhatAnOperatorLoadedStays) {
  FakeWorker::Options small;
  small.stages_max = 1;
  Begin(kRegistry, 1, small);
  ASSERT_TRUE(Load("summer", 1).ok());
  ASSERT_TRUE(MemoryIsShort());
  EXPECT_EQ(Complete("good morning").status, 503);
  EXPECT_EQ(Replicas("summer").size(), 1u);
}

TEST_F(RoutingTest, WhatAnOperatorAsksForStaysFromThenOn) {
  FakeWorker::Options small;
  small.stages_max = 1;
  Begin(kRegistry, 1, small);
  EXPECT_EQ(Chosen(Complete("plus")), "200 summer by keyword");
  ASSERT_TRUE(Load("summer", 1).ok());
  EXPECT_TRUE(last_progress_.already_loaded());
  ASSERT_TRUE(MemoryIsShort());
  EXPECT_EQ(Complete("good morning").status, 503);
  EXPECT_EQ(Replicas("summer").size(), 1u);
}

TEST_F(RoutingTest, ARequestThatNamesAModelUsesItToo) {
  FakeWorker::Options small;
  small.stages_max = 2;
  Begin(kRegistry, 1, small);
  EXPECT_EQ(Chosen(Complete("python")), "200 coder by keyword");
  EXPECT_EQ(Chosen(Complete("plus")), "200 summer by keyword");
  ASSERT_TRUE(MemoryIsShort());
  EXPECT_EQ(Chosen(Complete("anything", {}, "coder")), "200 coder by explicit");
  EXPECT_EQ(Chosen(CompleteWhereAnotherGoes("good morning")), "200 talker by default");
  EXPECT_EQ(Replicas("coder").size(), 1u) << "it was used after the other";
  EXPECT_TRUE(Replicas("summer").empty());
}

TEST_F(RoutingTest, ASpecialistWhoseNodeIsGoneMakesRoomOnAnother) {
  FakeWorker::Options small;
  small.stages_max = 1;
  std::string registry(kRegistry);
  registry.erase(registry.find(", fallback: [talker]"), 20);
  Begin(registry, 2, small);
  EXPECT_EQ(Chosen(Complete("python")), "200 coder by keyword");
  const std::string lost = Replicas("coder")[0].stages(0).node_id();
  // Only then the other goes elsewhere.
  ASSERT_TRUE(Eventually([&] {
    grpc::ClientContext context;
    enigma::v1::PlanRequest request;
    request.set_model("summer");
    enigma::v1::PlanReply plan;
    return cluster_->Plan(&context, request, &plan).ok() && plan.stages_size() == 1 && plan.stages(0).node_id() != lost;
  }));
  EXPECT_EQ(Chosen(Complete("plus")), "200 summer by keyword");
  ASSERT_TRUE(MemoryIsShort());
  workers_[lost == "n0" ? 0 : 1]->Kill();
  ASSERT_TRUE(OutOfService("coder"));
  const HttpAnswer answer = CompleteWhereAnotherGoes("python");
  EXPECT_EQ(Chosen(answer), "200 coder by keyword") << answer.body;
  EXPECT_NE(Header(answer, "x-enigma-node"), lost);
  EXPECT_TRUE(Replicas("summer").empty());
}

TEST_F(RoutingTest, ARequestDoesNotWaitForEverForWhatAnOperatorHasLost) {
  Write(kRegistry);
  Coordinator::Options options = WithFile();
  options.lost_wait = absl::Milliseconds(100);
  StartCoordinator(options);
  StartWorkers(1);
  ImportSpecialists();
  ASSERT_TRUE(Eventually([&] { return Registry()["fault"].is_null(); })) << Registry();
  ASSERT_TRUE(Load("summer", 1).ok());
  workers_[0]->Kill();
  ASSERT_TRUE(OutOfService("summer"));
  const HttpAnswer answer = Complete("plus");
  EXPECT_EQ(answer.status, 503) << answer.body;
  EXPECT_THAT(Message(answer), HasSubstr("'summer' is in no service any more, and is not placed again"));
}

TEST_F(RoutingTest, WhoTakesAnothersPlaceDoesSoOnceItServes) {
  Begin();
  EXPECT_EQ(Chosen(Complete("python")), "200 coder by keyword");
  ASSERT_TRUE(Import("newer").ok());
  ASSERT_TRUE(Import("newest").ok());
  workers_[0]->HoldLoads(true);
  std::string registry(kRegistry);
  for (const std::string next : {"newer", "newest"}) {
    registry.replace(registry.find("model: ") + 7, registry.find(", intents") - registry.find("model: ") - 7, next);
    Write(registry);
    ASSERT_TRUE(Eventually([&] { return Registry()["tasks"][0]["model"] == next; })) << Registry();
    EXPECT_EQ(Chosen(Complete("python")), "200 coder by keyword") << next << " is not there yet";
  }
  EXPECT_TRUE(Eventually([&] { return workers_[0]->load_calls() >= 3; })) << "what comes is loaded meanwhile";
  workers_[0]->HoldLoads(false);
  EXPECT_TRUE(Eventually([&] { return Chosen(Complete("python")) == "200 newest by keyword"; }));
}

TEST_F(RoutingTest, TheRouterDecidesUntilItsSuccessorServes) {
  BeginWithRouter();
  pipelines_.SetLabels({0.1, 0.85, 0.05});
  EXPECT_EQ(Chosen(Complete("a question")), "200 summer by model");
  ASSERT_TRUE(ImportFile(folder_ + "/nano.gguf", "nano2").ok());
  workers_[0]->HoldLoads(true);
  Write(absl::StrCat("router: {model: nano2}\n", kRegistry));
  ASSERT_TRUE(Eventually([&] { return Registry()["router"]["model"] == "nano2"; })) << Registry();
  EXPECT_EQ(Chosen(Complete("a question")), "200 summer by model") << "nano has decided it";
  workers_[0]->HoldLoads(false);
  EXPECT_TRUE(ServedAgain("nano2"));
  EXPECT_EQ(Chosen(Complete("a question")), "200 summer by model");
}

// The second begins when the memory that was made for the first is free and not taken yet.
TEST_F(RoutingTest, TwoLoadsAtOnceDoNotCountOnTheSameRoom) {
  Begin(
      "default: talker\ntasks:\n  code: {model: coder, keywords: [python]}\n  math: {model: summer, keywords: [plus]}\n"
      "  talker: {model: talker, keywords: [hello]}\n",
      1);
  FakeWorker::Options small;
  small.stages_max = 2;
  small.stage_bytes = BytesOfPlan("coder") * 7 / 6;  // with the headroom one fits, and nothing beside it
  workers_[0]->Kill();
  ASSERT_TRUE(WaitForState("ready", 0));
  FakeWorker& worker = StartWorker("small", small);
  ASSERT_TRUE(WaitForState("ready", 1));
  for (const char* idle : {"idle1", "idle2"}) {
    ASSERT_TRUE(Import(idle).ok());
    ASSERT_TRUE(LoadOnDemand(idle).ok());
  }
  ASSERT_TRUE(MemoryIsShort());
  worker.HoldLoads(true);
  auto first = std::async(std::launch::async, [&] { return Complete("python"); });
  ASSERT_TRUE(Eventually([&] { return FreeMemory("small") > 0; }));
  auto second = std::async(std::launch::async, [&] { return Complete("plus"); });
  EXPECT_TRUE(Eventually([&] { return worker.load_calls() == 4; })) << "both have a place";
  worker.HoldLoads(false);
  EXPECT_EQ(Chosen(first.get()), "200 coder by keyword");
  EXPECT_EQ(Chosen(second.get()), "200 summer by keyword");
  EXPECT_TRUE(Replicas("idle1").empty());
  EXPECT_TRUE(Replicas("idle2").empty());
}

TEST_F(RoutingTest, WhatIsWrongWithALoadIsNoFaultOfTheRequest) {
  std::string registry(kRegistry);
  registry.insert(registry.find("fallback"), "nodes: [nowhere], ");
  registry.erase(registry.find(", fallback: [talker]"), 20);
  Begin(registry);
  const HttpAnswer answer = Complete("python");
  EXPECT_EQ(answer.status, 503) << answer.body;
  EXPECT_THAT(Message(answer), HasSubstr("nowhere"));
}

}  // namespace
}  // namespace enigma::coordinator::testing
