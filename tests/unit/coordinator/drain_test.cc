// What becomes of requests when the coordinator, or a worker under it, is told to stop.
#include <future>
#include <thread>

#include <absl/synchronization/notification.h>
#include <absl/time/clock.h>
#include <gmock/gmock.h>
#include <google/protobuf/wrappers.pb.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/generic/generic_stub.h>
#include <gtest/gtest.h>

#include "tests/unit/coordinator/coordinator_fixture.h"
#include "tests/unit/coordinator/http_client.h"

namespace enigma::coordinator::testing {
namespace {

using ::testing::HasSubstr;

class DrainTest : public CoordinatorTest {
 protected:
  ~DrainTest() override {
    if (coordinator_ != nullptr) coordinator_->Stop();
    if (running_.joinable()) running_.join();
  }
  void Run() {
    running_ = std::thread([this] {
      coordinator_->Run();
      ended_.Notify();
    });
  }
  // grpc.health.v1, whose messages have the form of these.
  bool IsServing(const std::string& service) {
    grpc::TemplatedGenericStub<google::protobuf::StringValue, google::protobuf::Int32Value> stub(
        MakeChannel(endpoint_, nullptr, ExpectedPeer::AnyNode()));
    google::protobuf::StringValue request;
    request.set_value(service);
    google::protobuf::Int32Value reply;
    grpc::ClientContext context;
    std::promise<grpc::Status> done;
    stub.UnaryCall(&context, "/grpc.health.v1.Health/Check", grpc::StubOptions(), &request, &reply,
                   [&done](grpc::Status status) { done.set_value(std::move(status)); });
    const grpc::Status status = done.get_future().get();
    EXPECT_TRUE(status.ok()) << status.error_message();
    return reply.value() == 1;
  }
  // One request that is held after its first token.
  std::future<Generated> HoldOne() {
    pipelines_.SetManner(FakePipelines::Manner::kHold);
    const size_t before = pipelines_.opened().size();
    auto held = std::async(std::launch::async, [this] { return Generate(Ask("stories", "a", 2)); });
    EXPECT_TRUE(Eventually([&] { return pipelines_.opened().size() > before; }));
    return held;
  }

  std::thread running_;
  absl::Notification ended_;
};

TEST_F(DrainTest, RunningRequestsEndAndNewOnesAreRefused) {
  Serve();
  Run();
  std::future<Generated> over_grpc = HoldOne();
  RawHttp over_http(coordinator_->http_port());
  const std::string body = R"({"model": "stories", "prompt": "a", "max_tokens": 2, "stream": true})";
  over_http.Send(absl::StrCat("POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Length: ", body.size(), "\r\n\r\n"));
  over_http.Send(body);
  ASSERT_TRUE(Eventually([&] { return pipelines_.opened().size() == 2; }));
  EXPECT_TRUE(IsServing(""));
  EXPECT_TRUE(IsServing("enigma.v1.Inference"));
  EXPECT_EQ(Get(coordinator_->http_port(), "/health/ready").status, 200);

  coordinator_->Drain(absl::Minutes(1));
  EXPECT_FALSE(IsServing(""));
  EXPECT_FALSE(IsServing("enigma.v1.Inference"));
  EXPECT_TRUE(IsServing("enigma.v1.Membership")) << "workers still attend";
  const HttpAnswer ready = Get(coordinator_->http_port(), "/health/ready");
  EXPECT_EQ(ready.status, 503);
  EXPECT_THAT(ready.body, HasSubstr("draining"));
  EXPECT_EQ(Get(coordinator_->http_port(), "/health").status, 200) << "alive it is";
  const HttpAnswer refused = Post(coordinator_->http_port(), "/v1/completions", body);
  EXPECT_EQ(refused.status, 503) << refused.body;
  EXPECT_EQ(refused.headers.at("retry-after"), "1");
  EXPECT_EQ(refused.headers.at("connection"), "close");
  const Generated late = Generate(Ask("stories", "a", 2));
  EXPECT_EQ(late.status.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_THAT(late.status.error_message(), HasSubstr("draining"));

  EXPECT_FALSE(ended_.HasBeenNotified());
  pipelines_.FinishHeld();
  const Generated whole = over_grpc.get();
  EXPECT_TRUE(whole.status.ok()) << whole.status.error_message();
  EXPECT_EQ(whole.finish_reason, "length");
  const std::vector<std::string> events = over_http.Read().Events();
  ASSERT_FALSE(events.empty());
  EXPECT_EQ(events.back(), "[DONE]");
  EXPECT_TRUE(ended_.WaitForNotificationWithTimeout(absl::Seconds(20)));
}

TEST_F(DrainTest, WhatIsNotDoneInTimeIsEnded) {
  Serve();
  Run();
  std::future<Generated> held = HoldOne();
  coordinator_->Drain(absl::Milliseconds(200));
  const Generated ended = held.get();
  EXPECT_EQ(ended.status.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_THAT(ended.status.error_message(), HasSubstr("the coordinator is stopping"));
  EXPECT_TRUE(ended_.WaitForNotificationWithTimeout(absl::Seconds(20)));
}

// A client that does not read holds its place no longer than others: not until its connection ends.
TEST_F(DrainTest, AClientThatDoesNotReadIsEndedWhenItsTimeIsOver) {
  Coordinator::Options options = Options();
  options.request_time_max = absl::Seconds(2);
  Serve(options);
  Run();
  pipelines_.SetManner(FakePipelines::Manner::kHold);
  grpc::ChannelArguments narrow;
  narrow.SetInt(GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, 16);
  narrow.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);
  const auto stub =
      enigma::v1::Inference::NewStub(grpc::CreateCustomChannel(endpoint_, grpc::InsecureChannelCredentials(), narrow));
  enigma::v1::GenerateRequest request;
  request.set_model("stories");
  for (int i = 0; i < 200; ++i) request.mutable_prompt_ids()->add_ids(300);  // which the first chunk repeats
  request.mutable_sampling()->set_max_tokens(2);
  grpc::ClientContext context;
  const auto stream = stub->Generate(&context, request);
  ASSERT_TRUE(Eventually([&] { return pipelines_.opened().size() == 1; }));
  coordinator_->Drain(absl::Minutes(10));
  EXPECT_TRUE(ended_.WaitForNotificationWithTimeout(absl::Seconds(20)));
  context.TryCancel();
  stream->Finish();
}

TEST_F(DrainTest, ASecondWordEndsAtOnce) {
  Serve();
  Run();
  std::future<Generated> held = HoldOne();
  coordinator_->Drain(absl::Hours(1));
  coordinator_->Stop();
  EXPECT_EQ(held.get().status.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_TRUE(ended_.WaitForNotificationWithTimeout(absl::Seconds(20)));
}

TEST_F(DrainTest, AModelWhoseNodeLeavesIsPlacedElsewhereFirst) {
  Serve();
  FakeWorker& other = StartWorker("other");
  other.HoldLoads(true);
  ASSERT_TRUE(WaitForState("ready", 2));
  std::future<Generated> held = HoldOne();
  pipelines_.SetManner(FakePipelines::Manner::kAnswer);
  workers_[0]->Leave();
  // There is no moment in which nobody answers: before the other node has it, while both do, and after that.
  const auto answers = [&] {
    const Generated generated = Generate(Ask("stories", "a", 2));
    EXPECT_TRUE(generated.status.ok()) << generated.status.error_message();
    return generated;
  };
  ASSERT_TRUE(Eventually([&] { return other.load_calls() == 1; }));
  for (int i = 0; i < 20; ++i) EXPECT_EQ(answers().nodes, std::vector<std::string>{"n0"});
  other.HoldLoads(false);
  EXPECT_TRUE(Eventually([&] { return answers().nodes == std::vector<std::string>{"other"}; }));
  EXPECT_EQ(workers_[0]->stages().size(), 1u) << "it still has a request";
  for (int i = 0; i < 20; ++i) EXPECT_EQ(answers().nodes, std::vector<std::string>{"other"});
  pipelines_.FinishHeld();
  EXPECT_TRUE(held.get().status.ok());
  EXPECT_TRUE(Eventually([&] {
    answers();
    return workers_[0]->stages().empty();
  })) << "so that it may go";
  EXPECT_TRUE(ServedAgain("stories"));
  EXPECT_EQ(other.load_calls(), 1) << "placed once";
}

TEST_F(DrainTest, ASuccessorThatTakesTooLongLeavesTimeForWhatRuns) {
  Coordinator::Options options = Options();
  options.successor_wait = absl::Milliseconds(300);
  Serve(options);
  StartWorker("other").HoldLoads(true);
  ASSERT_TRUE(WaitForState("ready", 2));
  workers_[0]->Leave();
  EXPECT_TRUE(Eventually([&] { return workers_[0]->stages().empty(); }));
  EXPECT_FALSE(Generate(Ask("stories", "a", 2)).status.ok());
  workers_[1]->HoldLoads(false);
  EXPECT_TRUE(ServedAgain("stories"));
  EXPECT_TRUE(Generate(Ask("stories", "a", 2)).status.ok());
}

// What a replica gives back when it goes may be what its successor lacked: that one has not to wait for its turn.
TEST_F(DrainTest, ASuccessorThatCouldNotBePlacedBeforeIsTriedAtOnceAfterwards) {
  Serve();
  FakeWorker& other = StartWorker("other");
  other.FailLoads(true);
  ASSERT_TRUE(WaitForState("ready", 2));
  std::future<Generated> held = HoldOne();
  workers_[0]->Leave();
  ASSERT_TRUE(Eventually([&] { return other.load_calls() == 4; })) << "the next is due in eight seconds";
  other.FailLoads(false);
  const absl::Time ended = absl::Now();
  pipelines_.FinishHeld();
  EXPECT_TRUE(held.get().status.ok());
  EXPECT_TRUE(Eventually([&] { return other.stages().size() == 1; }));
  EXPECT_TRUE(ServedAgain("stories"));
  EXPECT_LT(absl::Now() - ended, absl::Seconds(7));
}

TEST_F(DrainTest, AWorkerThatLeavesEndsWhatItHasAndItsModelMovesOn) {
  Serve();
  std::future<Generated> held = HoldOne();
  workers_[0]->Leave();
  ASSERT_TRUE(WaitForState("leaving", 1));
  // It takes some time until it is seen; from then on nothing new comes to the node.
  EXPECT_TRUE(Eventually([&] {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::milliseconds(300));
    enigma::v1::GenerateChunk chunk;
    const auto stream = inference_->Generate(&context, Ask("stories", "a", 2));
    while (stream->Read(&chunk)) {
    }
    return stream->Finish().error_code() == grpc::StatusCode::UNAVAILABLE;
  }));
  // A node that can take its place does so while the request still runs.
  StartWorker("other");
  EXPECT_TRUE(Eventually([&] { return workers_[1]->stages().size() == 1; }));
  EXPECT_EQ(workers_[0]->stages().size(), 1u) << "it still has a request";

  pipelines_.FinishHeld();
  const Generated whole = held.get();
  EXPECT_TRUE(whole.status.ok()) << whole.status.error_message();
  EXPECT_TRUE(Eventually([&] { return workers_[0]->stages().empty(); })) << "so that it may go";
  EXPECT_TRUE(ServedAgain("stories"));
  EXPECT_EQ(workers_[1]->stages().size(), 1u);
}

}  // namespace
}  // namespace enigma::coordinator::testing
