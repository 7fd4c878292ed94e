// Nodes and coordinators that die, fall silent, come back, or are not who they say.
#include <unistd.h>

#include <fstream>
#include <future>

#include <absl/time/clock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "rpc/join.h"
#include "tests/unit/coordinator/coordinator_fixture.h"
#include "tests/unit/coordinator/http_client.h"

namespace enigma::coordinator::testing {
namespace {

TEST_F(CoordinatorTest, ANodesDeathEndsItsRequestsByNameAndTheModelIsPlacedAgain) {
  StartCluster(3);
  ASSERT_TRUE(Import("stories").ok());
  ASSERT_TRUE(Load("stories", 2).ok());
  const std::string victim = last_progress_.replica().stages(1).node_id();
  pipelines_.SetManner(FakePipelines::Manner::kHold);
  auto held = std::async(std::launch::async, [this] { return Generate(Ask("stories", "a", 100)); });
  ASSERT_TRUE(Eventually([&] { return pipelines_.opened().size() == 1; }));
  for (size_t i = 0; i < workers_.size(); ++i) {
    if (victim == "n" + std::to_string(i)) workers_[i]->Kill();
  }
  const Generated ended = held.get();
  EXPECT_EQ(ended.status.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_NE(ended.status.error_message().find("node " + victim), std::string::npos) << ended.status.error_message();
  EXPECT_EQ(ended.ids.size(), 1u) << "what was made before is the client's";
  ASSERT_TRUE(WaitForState("dead", 1));

  pipelines_.SetManner(FakePipelines::Manner::kAnswer);
  ASSERT_TRUE(ServedAgain("stories"));
  const auto replicas = Replicas("stories");
  for (const auto& stage : replicas.at(0).stages()) EXPECT_NE(stage.node_id(), victim);
  EXPECT_TRUE(Generate(Ask("stories", "a", 3)).status.ok());
}

TEST_F(CoordinatorTest, WhereTheModelFitsNoMoreItFailsWithAReasonUntilANodeReturns) {
  Serve(2);
  workers_[1]->Kill();
  ASSERT_TRUE(Eventually([&] {
    const auto replicas = Replicas("stories");
    return replicas.size() == 1 && replicas[0].failure().find("2 stages need 2 nodes") != std::string::npos;
  }));
  const Generated refused = Generate(Ask("stories", "a", 1));
  EXPECT_EQ(refused.status.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  StartWorker("n9");
  EXPECT_TRUE(ServedAgain("stories"));
}

TEST_F(CoordinatorTest, ALoadAfterAFailureTakesThePlaceOfWhatCouldNotBePlacedAgain) {
  Serve(2);
  workers_[1]->Kill();
  ASSERT_TRUE(Eventually([&] {
    const auto replicas = Replicas("stories");
    return replicas.size() == 1 && replicas[0].state() == "failed";
  }));
  ASSERT_TRUE(Load("stories", 1).ok());
  EXPECT_EQ(Replicas("stories").size(), 1u);
  // With the second node back, the earlier cut must not come back beside the new one.
  StartWorker("n9");
  ASSERT_TRUE(Eventually([&] { return NodesIn("ready") == 2; }));
  EXPECT_FALSE(Eventually([&] { return Replicas("stories").size() != 1; }, absl::Seconds(1)));
}

TEST_F(CoordinatorTest, OtherReplicasAreUntouchedByADeath) {
  StartCluster(2);
  ASSERT_TRUE(Import("stories").ok());
  ASSERT_TRUE(Import("again").ok());
  // Placement is free to choose one node for both, so name them.
  const auto load_on = [&](const std::string& model, const std::string& node) {
    grpc::ClientContext context;
    enigma::v1::LoadRequest request;
    request.set_model(model);
    request.mutable_options()->add_nodes(node);
    const auto stream = cluster_->Load(&context, request);
    enigma::v1::LoadProgress progress;
    while (stream->Read(&progress)) {
    }
    return stream->Finish().ok();
  };
  ASSERT_TRUE(load_on("stories", "n0"));
  ASSERT_TRUE(load_on("again", "host-n1"));
  pipelines_.SetManner(FakePipelines::Manner::kHold);
  grpc::ClientContext context;
  const auto survivor = inference_->Generate(&context, Ask("again", "a", 100));
  enigma::v1::GenerateChunk chunk;
  while (survivor->Read(&chunk) && chunk.ids_size() == 0) {
  }
  workers_[0]->Kill();
  ASSERT_TRUE(WaitForState("dead", 1));
  EXPECT_EQ(Replicas("again").at(0).state(), "ready");
  EXPECT_EQ(Replicas("again").at(0).running(), 1u);
  context.TryCancel();
  survivor->Finish();
}

TEST_F(CoordinatorTest, SilenceIsDeathAndTheSilentMayComeBack) {
  StartCluster(1);
  workers_[0]->SetSilent(true);
  ASSERT_TRUE(WaitForState("dead", 1));
  workers_[0]->SetSilent(false);
  EXPECT_TRUE(WaitForState("ready", 1));
}

TEST_F(CoordinatorTest, ASecondProcessWithTheSameIdIsSentAwayNamingBothHosts) {
  StartCluster(1);
  FakeWorker::Options clone;
  clone.incarnation = 2;
  clone.host_name = "elsewhere";
  FakeWorker& second = StartWorker("n0", clone);
  ASSERT_TRUE(Eventually([&] { return !second.told_to_leave().empty(); }));
  EXPECT_NE(second.told_to_leave().find("host-n0"), std::string::npos);
  EXPECT_NE(second.told_to_leave().find("elsewhere"), std::string::npos);
  EXPECT_EQ(NodesIn("ready"), 1u);
}

TEST_F(CoordinatorTest, AFailedLoadLeavesNothingBehindAndNamesTheNode) {
  StartCluster(2);
  ASSERT_TRUE(Import("stories").ok());
  workers_[1]->FailLoads(true);
  const grpc::Status failed = Load("stories", 2);
  EXPECT_FALSE(failed.ok());
  EXPECT_NE(failed.error_message().find("n1"), std::string::npos) << failed.error_message();
  EXPECT_NE(failed.error_message().find("the disk is full"), std::string::npos);
  EXPECT_TRUE(Replicas("stories").empty());
  EXPECT_TRUE(Eventually([&] { return workers_[0]->stages().empty(); }));
  EXPECT_FALSE(Load("stories", 5).ok());
  EXPECT_FALSE(Unload("stories").ok());
}

TEST_F(CoordinatorTest, UnloadTakesItOutOfServiceForGood) {
  Serve(2);
  EXPECT_EQ(workers_[0]->stages().size() + workers_[1]->stages().size(), 2u);
  ASSERT_TRUE(Unload("stories").ok());
  EXPECT_TRUE(workers_[0]->stages().empty());
  EXPECT_TRUE(workers_[1]->stages().empty());
  EXPECT_TRUE(Replicas("stories").empty());
  grpc::ClientContext context;
  enigma::v1::RemoveModelRequest remove;
  remove.set_name("stories");
  enigma::v1::RemoveModelReply removed;
  EXPECT_TRUE(cluster_->RemoveModel(&context, remove, &removed).ok());
}

TEST_F(CoordinatorTest, ARestartedCoordinatorServesWhatItServedBefore) {
  Coordinator::Options options = Options();
  StartCoordinator(options);
  options.listen_port = coordinator_->grpc_port();
  StartWorker("n0");
  StartWorker("n1");
  ASSERT_TRUE(WaitForState("ready", 2));
  ASSERT_TRUE(Import("stories").ok());
  ASSERT_TRUE(Load("stories", 2).ok());
  coordinator_.reset();
  EXPECT_FALSE(std::filesystem::exists(options.data_dir + "/endpoint.json"));

  StartCoordinator(options);
  ASSERT_TRUE(WaitForState("ready", 2));
  ASSERT_TRUE(ServedAgain("stories"));
  EXPECT_EQ(Replicas("stories")[0].stages_size(), 2);
  EXPECT_TRUE(Generate(Ask("stories", "a", 3)).status.ok());
  // Stages of the earlier coordinator's replica are dropped.
  EXPECT_TRUE(Eventually([&] { return workers_[0]->stages().size() == 1 && workers_[1]->stages().size() == 1; }));
}

TEST_F(CoordinatorTest, TwoCoordinatorsCannotShareADataFolder) {
  StartCoordinator(Options());
  const auto second = Coordinator::Create(Options());
  ASSERT_FALSE(second.ok());
  EXPECT_NE(second.status().ToString().find(Options().data_dir), std::string::npos) << second.status();
}

TEST_F(CoordinatorTest, WithTlsOnlyHoldersOfCertificatesActAndOnlyAsThemselves) {
  Coordinator::Options options = Options();
  options.insecure = false;
  StartCoordinator(options);
  std::ifstream in(options.data_dir + "/endpoint.json");
  const auto record = nlohmann::json::parse(in);
  EXPECT_EQ(record.at("grpc"), endpoint_);
  EXPECT_EQ(record.at("cluster_id"), coordinator_->cluster_id());
  EXPECT_EQ(record.at("pid"), getpid());

  const auto admin = LoadIdentity(options.data_dir + "/pki/admin.pem", absl::Now());
  ASSERT_TRUE(admin.ok()) << admin.status();
  // Without a certificate: no administration, no pieces; inference for callers on this machine.
  UseChannel(MakeJoinChannel(endpoint_, admin->ca_certificate_pem));
  {
    grpc::ClientContext context;
    enigma::v1::ListNodesReply nodes;
    EXPECT_EQ(cluster_->ListNodes(&context, {}, &nodes).error_code(), grpc::StatusCode::UNAUTHENTICATED);
  }
  {
    grpc::ClientContext context;
    enigma::v1::HasReply has;
    EXPECT_EQ(content_->Has(&context, {}, &has).error_code(), grpc::StatusCode::UNAUTHENTICATED);
  }
  {
    grpc::ClientContext context;
    enigma::v1::ListModelsReply models;
    EXPECT_TRUE(inference_->ListModels(&context, {}, &models).ok());
  }

  UseChannel(MakeChannel(endpoint_, &*admin, ExpectedPeer::Coordinator()));
  grpc::ClientContext context;
  enigma::v1::CreateTokenReply made;
  ASSERT_TRUE(cluster_->CreateToken(&context, {}, &made).ok());
  auto token = ParseJoinToken(made.token());
  ASSERT_TRUE(token.ok());
  JoinOptions join;
  join.endpoint = endpoint_;
  join.node_id = "joiner";
  const auto identity = JoinCluster(*token, join);
  ASSERT_TRUE(identity.ok()) << identity.status();
  token->secret[0] = static_cast<char>(token->secret[0] ^ 1);
  EXPECT_FALSE(JoinCluster(*token, join).ok());

  // A worker's certificate lets it attend as itself, but neither as another nor administer.
  FakeWorker::Options worker;
  worker.identity = &*identity;
  StartWorker("somebody-else", worker);
  StartWorker("joiner", worker);
  ASSERT_TRUE(WaitForState("ready", 1));
  ASSERT_TRUE(Import("stories").ok());
  ASSERT_TRUE(Load("stories", 1).ok());
  EXPECT_TRUE(Generate(Ask("stories", "a", 3)).status.ok());
  UseChannel(MakeChannel(endpoint_, &*identity, ExpectedPeer::Coordinator()));
  grpc::ClientContext again;
  enigma::v1::ListNodesReply nodes;
  EXPECT_EQ(cluster_->ListNodes(&again, {}, &nodes).error_code(), grpc::StatusCode::PERMISSION_DENIED);
}

TEST_F(CoordinatorTest, AReplicaThatMakesNoProgressIsNotReadyAndNotEnded) {
  Coordinator::Options options = Options();
  options.stall_after = absl::Seconds(5);
  StartCoordinator(options);
  StartWorker("n0");
  ASSERT_TRUE(WaitForState("ready", 1));
  ASSERT_TRUE(Import("stories").ok());
  const auto ready = [this] { return Get(coordinator_->http_port(), "/health/ready"); };
  EXPECT_EQ(ready().status, 503);
  ASSERT_TRUE(Load("stories", 1).ok());
  EXPECT_EQ(ready().status, 200);

  workers_[0]->BeBusyFor(absl::Seconds(4));
  absl::SleepFor(absl::Milliseconds(500));
  EXPECT_EQ(ready().status, 200) << "busy is not stalled";
  workers_[0]->BeBusyFor(absl::Seconds(6));
  ASSERT_TRUE(Eventually([&] { return ready().status == 503; }));
  const HttpAnswer stalled = ready();
  EXPECT_NE(stalled.body.find("no model makes progress"), std::string::npos) << stalled.body;
  EXPECT_NE(stalled.body.find("stage 0 of stories on node n0"), std::string::npos) << stalled.body;
  EXPECT_EQ(Replicas("stories").at(0).state(), "ready");
  EXPECT_NE(Replicas("stories").at(0).stall().find("no step for 6 s"), std::string::npos);
  grpc::ClientContext context;
  enigma::v1::ListNodesReply nodes;
  ASSERT_TRUE(cluster_->ListNodes(&context, {}, &nodes).ok());
  EXPECT_EQ(nodes.nodes(0).state(), "ready");
  EXPECT_NE(nodes.nodes(0).state_reason().find("no step for 6 s"), std::string::npos);
  const auto metric = [&](const std::string& line) {
    return Get(coordinator_->http_port(), "/metrics").body.find(line) != std::string::npos;
  };
  EXPECT_TRUE(Eventually([&] { return metric("enigma_replicas{model_name=\"stories\",state=\"stalled\"} 1"); }));
  EXPECT_TRUE(Eventually([&] { return metric("enigma_ready 0"); }));
  // It may only be slow: what runs goes on, and with nothing better it still gets work.
  EXPECT_TRUE(Generate(Ask("stories", "a", 2)).status.ok());

  // Another replica makes the model ready, and requests go there.
  StartWorker("n1");
  ASSERT_TRUE(WaitForState("ready", 2));
  grpc::ClientContext load_context;
  enigma::v1::LoadRequest load;
  load.set_model("stories");
  load.set_another_replica(true);
  load.mutable_options()->add_nodes("n1");
  const auto stream = cluster_->Load(&load_context, load);
  enigma::v1::LoadProgress progress;
  while (stream->Read(&progress)) {
  }
  ASSERT_TRUE(stream->Finish().ok());
  EXPECT_EQ(ready().status, 200);
  EXPECT_EQ(Generate(Ask("stories", "a", 2)).nodes, std::vector<std::string>{"n1"});

  workers_[0]->BeBusyFor(absl::Milliseconds(-1));
  EXPECT_TRUE(Eventually([&] { return metric("enigma_replicas{model_name=\"stories\",state=\"stalled\"} 0"); }));
  EXPECT_TRUE(metric("enigma_replicas{model_name=\"stories\",state=\"ready\"} 2"));
}

}  // namespace
}  // namespace enigma::coordinator::testing
