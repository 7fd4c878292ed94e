// Specialists on different workers behind one name, in real processes.
#include <algorithm>
#include <csignal>
#include <fstream>
#include <thread>

#include <gtest/gtest.h>

#include "engine/spec/router_spec.h"
#include "tests/cluster/cluster.h"
#include "tests/cluster/http_cluster.h"
#include "tests/support/edited_model.h"
#include "tests/support/test_data.h"
#include "tests/unit/coordinator/http_client.h"

namespace enigma::testing {
namespace {

using coordinator::testing::HttpAnswer;
using coordinator::testing::Post;
using nlohmann::json;
using std::chrono::milliseconds;
using std::chrono::seconds;

class RoutingTest : public ::testing::Test {
 protected:
  void Write(const std::string& registry) const {
    std::ofstream(file_ + ".next") << registry;
    std::filesystem::rename(file_ + ".next", file_);
  }
  // Three workers; the models coder, summer and talker, none of them loaded.
  void Begin(const std::string& registry) {
    ENIGMA_REQUIRE_DATA(stories, "models/stories260K-f32.gguf");
    stories_ = stories;
    Write(registry);
    cluster_ = Cluster::Start({.coordinator_flags = {"--specialists", file_}});
    ASSERT_NE(cluster_, nullptr);
    // One after another, so that it is known which is which.
    for (int i = 0; i < 3; ++i) {
      cluster_->StartWorker(i);
      ASSERT_TRUE(cluster_->WaitForNodes(static_cast<size_t>(i) + 1));
      const json listed = cluster_->Json({"nodes"});
      for (const json& node : listed.at("nodes")) {
        const std::string id = node.at("node_id");
        if (std::find(nodes_.begin(), nodes_.end(), id) == nodes_.end()) nodes_.push_back(id);
      }
      ASSERT_EQ(nodes_.size(), static_cast<size_t>(i) + 1);
    }
    for (const char* name : {"coder", "summer", "talker"}) {
      const RunResult imported = cluster_->Enigma({"models", "import", stories_, "--name", name});
      ASSERT_EQ(imported.status, 0) << imported.err;
    }
    ASSERT_TRUE(Soon([&] { return Registry().at("in_force") == true; })) << Registry();
  }
  static bool Soon(const std::function<bool()>& done) {
    const auto until = std::chrono::steady_clock::now() + seconds(20);
    while (std::chrono::steady_clock::now() < until) {
      if (done()) return true;
      std::this_thread::sleep_for(milliseconds(50));
    }
    return done();
  }
  int port() const { return PortOf(cluster_->data_dir()); }
  json Registry() const { return json::parse(coordinator::testing::Get(port(), "/api/specialists").body); }
  HttpAnswer Ask(const std::string& prompt) const {
    const json body = {{"model", "auto"}, {"prompt", prompt}, {"max_tokens", 8}, {"temperature", 0}};
    return Post(port(), "/v1/completions", body.dump());
  }

  const TemporaryDirectory folder_;
  const std::string file_ = folder_.path() + "/specialists.yaml";
  std::string stories_;
  std::unique_ptr<Cluster> cluster_;
  std::vector<std::string> nodes_;  // ids, by the number of their worker
};

TEST_F(RoutingTest, KeywordsReachModelsOnTheirWorkersAndTheFallbackStandsIn) {
  Begin("default: chat\ntasks: {chat: {model: talker}}\n");
  if (IsSkipped() || HasFatalFailure()) return;
  EXPECT_EQ(Ask("write python").headers["x-enigma-model"], "talker");
  Write("default: chat\ntasks:\n  code: {model: coder, keywords: [python], nodes: [" + nodes_[0] +
        "], fallback: [talker]}\n  math: {model: summer, keywords: [plus], nodes: [" + nodes_[1] +
        "]}\n  chat: {model: talker, nodes: [" + nodes_[2] + "]}\n");
  ASSERT_TRUE(Soon([&] { return Registry().at("tasks").size() == 3; })) << Registry() << cluster_->Logs();
  // It stands wherever it was first placed until it is placed anew.
  ASSERT_EQ(cluster_->Enigma({"unload", "talker"}).status, 0);

  const auto check = [&](const char* prompt, const char* model, const std::string& node, const char* method) {
    HttpAnswer answer = Ask(prompt);
    EXPECT_EQ(answer.status, 200) << answer.body << cluster_->Logs();
    EXPECT_EQ(answer.headers["x-enigma-model"], model) << prompt;
    EXPECT_EQ(answer.headers["x-enigma-node"], node) << prompt;
    EXPECT_EQ(answer.headers["x-enigma-route-method"], method) << prompt;
  };
  check("write python", "coder", nodes_[0], "keyword");
  check("3 plus 4", "summer", nodes_[1], "keyword");
  check("Once upon a time", "talker", nodes_[2], "default");
  const json route = cluster_->Json({"route", "write python"});
  EXPECT_EQ(route.at("model"), "coder");
  EXPECT_EQ(route.at("nodes"), json({nodes_[0]}));
  EXPECT_EQ(route.at("method"), "keyword");

  cluster_->worker(0).Signal(SIGKILL);
  ASSERT_TRUE(cluster_->WaitForNodes(2));
  check("write python", "talker", nodes_[2], "keyword");
  check("3 plus 4", "summer", nodes_[1], "keyword");
}

TEST_F(RoutingTest, ARouterOnAWorkerReadsTheText) {
  Begin("default: chat\ntasks: {chat: {model: talker}}\n");
  if (IsSkipped() || HasFatalFailure()) return;
  const std::string path = folder_.path() + "/router.gguf";
  EditModel(stories_, path, [](EditableModel& model) {
    engine::RouterSpec router;
    router.labels = {"chat", "code", "math"};
    router.label_tokens = {403, 407, 261};
    router.temperature = 1.5;
    engine::SetRouterKeys(router, model.metadata);
  });
  ASSERT_EQ(cluster_->Enigma({"models", "import", path, "--name", "router"}).status, 0);
  Write(
      "default: chat\nrouter: {model: router}\ntasks:\n  code: {model: coder, intents: [code]}\n"
      "  math: {model: summer, intents: [math]}\n  chat: {model: talker, intents: [chat]}\n");
  ASSERT_TRUE(Soon([&] {
    const json registry = Registry();
    return registry.at("router").is_object() && registry.at("router").at("ready") == true;
  })) << Registry()
      << cluster_->Logs();

  const json read = cluster_->Json({"route", "--model", "router", "Once upon a time there was a dog"});
  ASSERT_EQ(read.at("labels").size(), 3U);
  double sum = 0;
  for (const json& label : read.at("labels")) sum += label.at("probability").get<double>();
  EXPECT_NEAR(sum, 1, 1e-9);
  const json routed = cluster_->Json({"route", "Once upon a time there was a dog"});
  EXPECT_EQ(routed.at("labels"), read.at("labels"));
  EXPECT_EQ(routed.at("method"), "model");
  EXPECT_EQ(routed.at("intent"), read.at("labels")[0].at("label"));
  EXPECT_EQ(routed.at("task"), routed.at("intent"));
  HttpAnswer answer = Ask("Once upon a time there was a dog");
  EXPECT_EQ(answer.status, 200) << answer.body;
  EXPECT_EQ(answer.headers["x-enigma-intent"], routed.at("intent").get<std::string>());
  EXPECT_EQ(answer.headers["x-enigma-model"], routed.at("model").get<std::string>());
}

}  // namespace
}  // namespace enigma::testing
