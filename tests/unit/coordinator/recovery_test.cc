// What the coordinator makes of failures: whom it blames, how often it tries again, and how it ends itself.
#include <future>
#include <set>

#include <absl/time/clock.h>
#include <gtest/gtest.h>

#include "rpc/join.h"
#include "tests/unit/coordinator/coordinator_fixture.h"

namespace enigma::coordinator::testing {
namespace {

class RecoveryTest : public CoordinatorTest {
 protected:
  FakeWorker& Worker(const std::string& node_id) { return *workers_.at(static_cast<size_t>(node_id[1] - '0')); }
  // The nodes of the model's only replica, stage by stage.
  std::vector<std::string> NodesOf(const std::string& model) {
    std::vector<std::string> nodes;
    for (const auto& replica : Replicas(model)) {
      for (const auto& stage : replica.stages()) nodes.push_back(stage.node_id());
    }
    return nodes;
  }
  size_t Loads() const {
    size_t loads = 0;
    for (const auto& worker : workers_) loads += worker->loaded().size();
    return loads;
  }
  grpc::Status LoadWith(const enigma::v1::LoadRequest& request) {
    grpc::ClientContext context;
    const auto stream = cluster_->Load(&context, request);
    enigma::v1::LoadProgress progress;
    while (stream->Read(&progress)) last_progress_ = progress;
    return stream->Finish();
  }
  grpc::Status RemoveNode(const std::string& node) {
    grpc::ClientContext context;
    enigma::v1::RemoveNodeRequest request;
    request.set_node(node);
    enigma::v1::RemoveNodeReply reply;
    return cluster_->RemoveNode(&context, request, &reply);
  }
};

TEST_F(RecoveryTest, AReplicaThatKeepsBreakingIsPlacedMoreAndMoreSeldom) {
  Serve();
  const absl::Time start = absl::Now();
  std::set<uint64_t> broken;
  const auto break_what_serves = [&] {
    for (const auto& replica : Replicas("stories")) {
      if (replica.state() != "ready" || !broken.insert(replica.replica()).second) continue;
      workers_[0]->ReportFailure(replica.replica(), "the step failed", "");
    }
  };
  // The first time again at once, then after pauses of one and two seconds.
  ASSERT_TRUE(Eventually([&] {
    break_what_serves();
    return Loads() >= 4;
  }));
  EXPECT_GE(absl::Now() - start, absl::Seconds(3));
  EXPECT_TRUE(ServedAgain("stories"));
}

TEST_F(RecoveryTest, TheStageThatFailedIsNamedWhateverItsNeighboursSay) {
  Serve(3);
  const std::vector<std::string> nodes = NodesOf("stories");
  ASSERT_EQ(nodes.size(), 3u);
  const uint64_t replica = Replicas("stories").at(0).replica();
  pipelines_.SetManner(FakePipelines::Manner::kHold);
  auto held = std::async(std::launch::async, [this] { return Generate(Ask("stories", "a", 100)); });
  ASSERT_TRUE(Eventually([&] { return pipelines_.opened().size() == 1; }));
  // The middle stage fails; the news of its neighbours come first, and the first stage gives the request up.
  Worker(nodes[0]).GiveUp(pipelines_.opened()[0].sequence(), "the stream from node " + nodes[2] + " ended");
  Worker(nodes[2]).ReportFailure(replica, "the stream from node " + nodes[1] + " ended", nodes[1]);
  Worker(nodes[0]).ReportFailure(replica, "the stream from node " + nodes[2] + " ended", nodes[2]);
  absl::SleepFor(absl::Milliseconds(40));
  Worker(nodes[1]).ReportFailure(replica, "the step ran out of memory", "");
  const Generated ended = held.get();
  EXPECT_EQ(ended.status.error_code(), grpc::StatusCode::UNAVAILABLE);
  const std::string& message = ended.status.error_message();
  EXPECT_NE(message.find("node " + nodes[1] + " (host-" + nodes[1] + ") failed"), std::string::npos) << message;
  EXPECT_NE(message.find("the step ran out of memory"), std::string::npos) << message;
}

TEST_F(RecoveryTest, ARequestThatIsRefusedAloneEndsAlone) {
  Serve();
  pipelines_.SetManner(FakePipelines::Manner::kRefuse);
  const Generated refused = Generate(Ask("stories", "a", 100));
  EXPECT_EQ(refused.status.error_code(), grpc::StatusCode::ABORTED);
  EXPECT_EQ(refused.status.error_message(), "no room for it here");
  EXPECT_EQ(Replicas("stories").at(0).state(), "ready");
}

TEST_F(RecoveryTest, TheBeginningOfAnIdGoesOnMeaningTheNodeItMeant) {
  StartCoordinator(Options());
  StartWorker("gpu-1");
  ASSERT_TRUE(WaitForState("ready", 1));
  ASSERT_TRUE(Import("stories").ok());
  enigma::v1::LoadRequest request;
  request.set_model("stories");
  request.mutable_options()->add_nodes("gpu-");
  const grpc::Status loaded = LoadWith(request);
  ASSERT_TRUE(loaded.ok()) << loaded.error_message();
  const uint64_t replica = Replicas("stories").at(0).replica();
  StartWorker("gpu-2");
  ASSERT_TRUE(WaitForState("ready", 2));
  workers_[0]->ReportFailure(replica, "the step failed", "");
  ASSERT_TRUE(Eventually([&] {
    const auto replicas = Replicas("stories");
    return replicas.size() == 1 && replicas[0].state() == "ready" && replicas[0].replica() != replica;
  }));
  EXPECT_EQ(NodesOf("stories"), std::vector<std::string>{"gpu-1"});
}

TEST_F(RecoveryTest, TwoNodesThatLostEachOtherAreNotNeighboursAgain) {
  StartCluster(3);
  ASSERT_TRUE(Import("stories").ok());
  ASSERT_TRUE(Load("stories", 2).ok());
  const std::vector<std::string> before = NodesOf("stories");
  ASSERT_EQ(before.size(), 2u);
  const uint64_t replica = Replicas("stories").at(0).replica();
  for (size_t i = 0; i < 2; ++i) {
    Worker(before[i]).CutFrom(before[1 - i]);
    Worker(before[i]).ReportFailure(replica, "node " + before[1 - i] + " was lost", before[1 - i]);
  }
  ASSERT_TRUE(Eventually([&] {
    const auto replicas = Replicas("stories");
    return replicas.size() == 1 && replicas[0].state() == "ready" && replicas[0].replica() != replica;
  }));
  const std::vector<std::string> after = NodesOf("stories");
  ASSERT_EQ(after.size(), 2u);
  EXPECT_NE(std::set<std::string>(after.begin(), after.end()), std::set<std::string>(before.begin(), before.end()));
}

TEST_F(RecoveryTest, ALoadOfALoadedModelChangesNothing) {
  StartCluster(3);
  ASSERT_TRUE(Import("stories").ok());
  ASSERT_TRUE(Load("stories", 2).ok());
  EXPECT_FALSE(last_progress_.already_loaded());
  const uint64_t replica = last_progress_.replica().replica();
  for (const uint32_t stages : {2u, 0u}) {
    ASSERT_TRUE(Load("stories", stages).ok());
    EXPECT_TRUE(last_progress_.already_loaded());
    EXPECT_EQ(last_progress_.replica().replica(), replica);
    EXPECT_EQ(last_progress_.replica().stages_size(), 2);
  }
  const grpc::Status otherwise = Load("stories", 1);
  EXPECT_EQ(otherwise.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_NE(otherwise.error_message().find("enigma unload stories"), std::string::npos) << otherwise.error_message();
  EXPECT_NE(otherwise.error_message().find("--another-replica"), std::string::npos);
  EXPECT_EQ(Replicas("stories").size(), 1u);
  enigma::v1::LoadRequest another;
  another.set_model("stories");
  another.mutable_options()->set_stages(1);
  another.set_another_replica(true);
  ASSERT_TRUE(LoadWith(another).ok());
  EXPECT_FALSE(last_progress_.already_loaded());
  EXPECT_EQ(Replicas("stories").size(), 2u);
}

TEST_F(RecoveryTest, ANodeThatStillMeasuresIsListedAndWaitedFor) {
  StartCoordinator(Options());
  FakeWorker::Options slow;
  slow.measured = false;
  FakeWorker& worker = StartWorker("n0", slow);
  ASSERT_TRUE(WaitForState("measuring", 1));
  ASSERT_TRUE(Import("stories").ok());
  auto load = std::async(std::launch::async, [this] { return Load("stories", 1); });
  EXPECT_EQ(load.wait_for(std::chrono::milliseconds(300)), std::future_status::timeout);
  worker.Measure();
  const grpc::Status loaded = load.get();
  EXPECT_TRUE(loaded.ok()) << loaded.error_message();
  EXPECT_TRUE(WaitForState("ready", 1));
}

TEST_F(RecoveryTest, ACoordinatorThatStopsSaysSoAndTakesNobodyForDead) {
  Serve(2);
  pipelines_.SetManner(FakePipelines::Manner::kHold);
  auto held = std::async(std::launch::async, [this] { return Generate(Ask("stories", "a", 100)); });
  ASSERT_TRUE(Eventually([&] { return pipelines_.opened().size() == 1; }));
  ::testing::internal::CaptureStderr();
  coordinator_->Stop();
  const std::string log = ::testing::internal::GetCapturedStderr();
  const Generated ended = held.get();
  EXPECT_EQ(ended.status.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(ended.status.error_message(), "the coordinator is stopping");
  EXPECT_EQ(log.find("is dead"), std::string::npos) << log;
  EXPECT_EQ(log.find("has failed"), std::string::npos) << log;
}

TEST_F(RecoveryTest, ARemovedNodeIsForgottenAndItsCertificateRevoked) {
  enigma::coordinator::Coordinator::Options options = Options();
  options.insecure = false;
  StartCoordinator(options);
  options.listen_port = coordinator_->grpc_port();
  const auto admin = LoadIdentity(options.data_dir + "/pki/admin.pem", absl::Now());
  ASSERT_TRUE(admin.ok()) << admin.status();
  UseChannel(MakeChannel(endpoint_, &*admin, ExpectedPeer::Coordinator()));
  const auto join = [&](const std::string& node_id) {
    grpc::ClientContext context;
    enigma::v1::CreateTokenReply made;
    EXPECT_TRUE(cluster_->CreateToken(&context, {}, &made).ok());
    JoinOptions join_options;
    join_options.endpoint = endpoint_;
    join_options.node_id = node_id;
    return JoinCluster(*ParseJoinToken(made.token()), join_options);
  };
  const auto identity = join("n0");
  ASSERT_TRUE(identity.ok()) << identity.status();
  FakeWorker::Options worker;
  worker.identity = &*identity;
  StartWorker("n0", worker);
  ASSERT_TRUE(WaitForState("ready", 1));
  const grpc::Status attached = RemoveNode("n0");
  EXPECT_EQ(attached.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_NE(attached.error_message().find("is attached"), std::string::npos) << attached.error_message();
  workers_[0]->Kill();
  ASSERT_TRUE(WaitForState("dead", 1));
  ASSERT_TRUE(RemoveNode("host-n0").ok());
  EXPECT_TRUE(WaitForState("dead", 0));
  EXPECT_EQ(RemoveNode("n0").error_code(), grpc::StatusCode::NOT_FOUND);

  // Also after a restart, its certificate lets it neither attend nor ask for anything; a newly joined node may.
  coordinator_.reset();
  StartCoordinator(options);
  UseChannel(MakeChannel(endpoint_, &*admin, ExpectedPeer::Coordinator()));
  StartWorker("n0", worker);
  const auto fresh = join("n1");
  ASSERT_TRUE(fresh.ok()) << fresh.status();
  FakeWorker::Options second;
  second.identity = &*fresh;
  StartWorker("n1", second);
  ASSERT_TRUE(WaitForState("ready", 1));
  UseChannel(MakeChannel(endpoint_, &*identity, ExpectedPeer::Coordinator()));
  grpc::ClientContext context;
  enigma::v1::HasReply has;
  const grpc::Status refused = content_->Has(&context, {}, &has);
  EXPECT_EQ(refused.error_code(), grpc::StatusCode::PERMISSION_DENIED);
  EXPECT_NE(refused.error_message().find("new token"), std::string::npos) << refused.error_message();
}

}  // namespace
}  // namespace enigma::coordinator::testing
