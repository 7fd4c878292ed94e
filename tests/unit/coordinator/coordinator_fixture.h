#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <absl/strings/str_cat.h>
#include <gtest/gtest.h>

#include "base/counter_random.h"
#include "coordinator/coordinator.h"
#include "engine/text/tokenizer.h"
#include "proto/cluster.grpc.pb.h"
#include "proto/inference.grpc.pb.h"
#include "rpc/channel.h"
#include "tests/support/test_data.h"
#include "tests/unit/coordinator/fake_worker.h"

namespace enigma::coordinator::testing {

struct Generated {
  grpc::Status status;
  std::string text;
  std::vector<int32_t> ids;
  std::vector<int32_t> prompt_ids;
  std::vector<std::string> nodes;
  std::string finish_reason;
  std::string contract;
};

// A coordinator over loopback, with workers that compute nothing, and a small model.
class CoordinatorTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto model = enigma::testing::TestDataPath("models/stories260K-f32.gguf");
    if (!model) GTEST_SKIP() << "test data absent: models/stories260K-f32.gguf";
    folder_ = ::testing::TempDir() + "enigma-coordinator-" + std::to_string(SystemRandom64());
    std::filesystem::create_directories(folder_);
    model_path_ = folder_ + "/stories.gguf";
    std::filesystem::copy_file(*model, model_path_);
  }
  void TearDown() override {
    workers_.clear();
    coordinator_.reset();
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }

  Coordinator::Options Options() const {
    Coordinator::Options options;
    options.data_dir = folder_ + "/data";
    options.listen_host = "127.0.0.1";
    options.listen_port = 0;
    options.http_port = 0;
    options.udp = false;
    options.insecure = true;
    options.silence_ms = 2500;  // machines that run tests may be very busy
    options.return_grace = absl::Seconds(5);
    return options;
  }
  void StartCoordinator(const Coordinator::Options& options) {
    auto created = Coordinator::Create(options);
    ASSERT_TRUE(created.ok()) << created.status();
    coordinator_ = *std::move(created);
    endpoint_ = absl::StrCat("127.0.0.1:", coordinator_->grpc_port());
    UseChannel(MakeChannel(endpoint_, nullptr, ExpectedPeer::AnyNode()));
  }
  void UseChannel(const std::shared_ptr<grpc::Channel>& channel) {
    cluster_ = enigma::v1::Cluster::NewStub(channel);
    inference_ = enigma::v1::Inference::NewStub(channel);
    content_ = enigma::v1::Content::NewStub(channel);
  }
  FakeWorker& StartWorker(const std::string& id, FakeWorker::Options options = {}) {
    options.node_id = id;
    if (options.host_name.empty()) options.host_name = "host-" + id;
    workers_.push_back(std::make_unique<FakeWorker>(pipelines_, options));
    workers_.back()->AttendTo(endpoint_);
    return *workers_.back();
  }
  void StartCluster(int workers) {
    StartCoordinator(Options());
    for (int i = 0; i < workers; ++i) StartWorker("n" + std::to_string(i));
    ASSERT_TRUE(WaitForState("ready", static_cast<size_t>(workers)));
  }

  // The model "stories" in service, in as many stages as there are workers.
  void Serve(const Coordinator::Options& options, int workers = 1) {
    StartCoordinator(options);
    for (int i = 0; i < workers; ++i) StartWorker("n" + std::to_string(i));
    ASSERT_TRUE(WaitForState("ready", static_cast<size_t>(workers)));
    ASSERT_TRUE(Import("stories").ok());
    ASSERT_TRUE(Load("stories", static_cast<uint32_t>(workers)).ok());
  }
  void Serve(int workers = 1) { Serve(Options(), workers); }
  int port() const { return coordinator_->http_port(); }

  size_t NodesIn(const std::string& state) {
    grpc::ClientContext context;
    enigma::v1::ListNodesReply reply;
    if (!cluster_->ListNodes(&context, {}, &reply).ok()) return 0;
    size_t count = 0;
    for (const auto& node : reply.nodes()) count += node.state() == state ? 1 : 0;
    return count;
  }
  bool WaitForState(const std::string& state, size_t count) {
    return Eventually([&] { return NodesIn(state) == count; });
  }

  grpc::Status Import(const std::string& name) { return ImportFile(model_path_, name); }
  grpc::Status ImportFile(const std::string& path, const std::string& name) {
    enigma::v1::ImportModelRequest request;
    request.set_path(path);
    request.set_name(name);
    return Import(request);
  }
  grpc::Status Import(const enigma::v1::ImportModelRequest& request) {
    grpc::ClientContext context;
    const auto stream = cluster_->ImportModel(&context, request);
    enigma::v1::ImportModelProgress progress;
    while (stream->Read(&progress)) imported_ = progress.model();
    return stream->Finish();
  }
  grpc::Status Load(const std::string& model, uint32_t stages) {
    grpc::ClientContext context;
    enigma::v1::LoadRequest request;
    request.set_model(model);
    request.mutable_options()->set_stages(stages);
    const auto stream = cluster_->Load(&context, request);
    enigma::v1::LoadProgress progress;
    while (stream->Read(&progress)) last_progress_ = progress;
    return stream->Finish();
  }
  grpc::Status Unload(const std::string& model) {
    grpc::ClientContext context;
    enigma::v1::UnloadRequest request;
    request.set_model(model);
    enigma::v1::UnloadReply reply;
    return cluster_->Unload(&context, request, &reply);
  }
  std::vector<enigma::v1::ReplicaInfo> Replicas(const std::string& model) {
    grpc::ClientContext context;
    enigma::v1::ListClusterModelsReply reply;
    EXPECT_TRUE(cluster_->ListModels(&context, {}, &reply).ok());
    for (const auto& info : reply.models()) {
      if (info.name() == model) return {info.replicas().begin(), info.replicas().end()};
    }
    return {};
  }
  bool ServedAgain(const std::string& model) {
    return Eventually([&] {
      const auto replicas = Replicas(model);
      return replicas.size() == 1 && replicas[0].state() == "ready";
    });
  }

  static enigma::v1::GenerateRequest Ask(const std::string& model, const std::string& prompt, uint32_t max_tokens) {
    enigma::v1::GenerateRequest request;
    request.set_model(model);
    request.set_prompt(prompt);
    request.mutable_sampling()->set_max_tokens(max_tokens);
    return request;
  }
  Generated Generate(const enigma::v1::GenerateRequest& request) {
    grpc::ClientContext context;
    const auto stream = inference_->Generate(&context, request);
    Generated generated;
    enigma::v1::GenerateChunk chunk;
    while (stream->Read(&chunk)) Append(chunk, generated);
    generated.status = stream->Finish();
    return generated;
  }
  static void Append(const enigma::v1::GenerateChunk& chunk, Generated& generated) {
    generated.text += chunk.text();
    generated.ids.insert(generated.ids.end(), chunk.ids().begin(), chunk.ids().end());
    generated.prompt_ids.insert(generated.prompt_ids.end(), chunk.prompt_ids().begin(), chunk.prompt_ids().end());
    generated.nodes.insert(generated.nodes.end(), chunk.nodes().begin(), chunk.nodes().end());
    generated.finish_reason += chunk.finish_reason();
    generated.contract += chunk.contract();
  }
  std::unique_ptr<engine::Tokenizer> Tokenizer() {
    auto file = engine::GgufFile::Open(model_path_);
    EXPECT_TRUE(file.ok());
    auto tokenizer = engine::Tokenizer::FromGguf((*file)->metadata());
    EXPECT_TRUE(tokenizer.ok());
    return *std::move(tokenizer);
  }

  std::string folder_;
  std::string model_path_;
  std::string endpoint_;
  FakePipelines pipelines_;
  std::unique_ptr<Coordinator> coordinator_;
  std::vector<std::unique_ptr<FakeWorker>> workers_;
  std::unique_ptr<enigma::v1::Cluster::Stub> cluster_;
  std::unique_ptr<enigma::v1::Inference::Stub> inference_;
  std::unique_ptr<enigma::v1::Content::Stub> content_;
  enigma::v1::ModelInfo imported_;
  enigma::v1::LoadProgress last_progress_;
};

}  // namespace enigma::coordinator::testing
