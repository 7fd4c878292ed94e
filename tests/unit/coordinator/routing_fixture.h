#pragma once

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include <absl/strings/str_cat.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "coordinator/placement/placed_bytes.h"
#include "engine/spec/router_spec.h"
#include "tests/support/edited_model.h"
#include "tests/unit/coordinator/coordinator_fixture.h"
#include "tests/unit/coordinator/http_client.h"

namespace enigma::coordinator::testing {

inline constexpr char kRegistry[] = R"(default: chat
tasks:
  code: {model: coder, intents: [code], keywords: [python, function], fallback: [talker]}
  math: {model: summer, intents: [math], keywords: [sum, plus]}
  chat: {model: talker, intents: [chat]}
)";

// A coordinator with specialists behind the model "auto", on workers that compute nothing.
class RoutingTest : public CoordinatorTest {
 protected:
  void SetUp() override {
    CoordinatorTest::SetUp();
    if (IsSkipped()) return;
    file_ = folder_ + "/specialists.yaml";
    enigma::testing::SetChatTemplate(
        model_path_, "{{ bos_token }}{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}");
  }
  void Write(const std::string& text) const {
    // Of another time even where the clock of the file system is coarse: the size differs, or the content.
    std::ofstream(file_ + ".next") << text;
    std::filesystem::rename(file_ + ".next", file_);
  }
  Coordinator::Options WithFile() const {
    Coordinator::Options options = Options();
    options.specialists_file = file_;
    options.specialists_look = absl::Milliseconds(20);
    options.router_patience = absl::Minutes(2);  // machines that run tests may be very busy
    return options;
  }
  void StartWorkers(int count, const FakeWorker::Options& options = {}) {
    for (int i = 0; i < count; ++i) StartWorker("n" + std::to_string(i), options);
    ASSERT_TRUE(WaitForState("ready", static_cast<size_t>(count)));
  }
  void ImportSpecialists() {
    for (const char* name : {"coder", "summer", "talker"}) ASSERT_TRUE(Import(name).ok());
  }
  // A coordinator whose registry is in force, and nothing loaded.
  void Begin(const std::string& registry = kRegistry, int workers = 1, const FakeWorker::Options& worker = {}) {
    Write(registry);
    StartCoordinator(WithFile());
    StartWorkers(workers, worker);
    ImportSpecialists();
    ASSERT_TRUE(Eventually([&] { return Registry()["fault"].is_null(); })) << Registry();
  }
  // The router "nano", which is loaded as soon as the registry is in force.
  void ImportRouter() {
    const std::string path = folder_ + "/nano.gguf";
    enigma::testing::EditModel(model_path_, path, [](enigma::testing::EditableModel& model) {
      engine::RouterSpec router;
      router.labels = {"code", "math", "chat"};
      router.label_tokens = {300, 301, 302};
      router.temperature = 2;
      router.threshold = 0.5;
      engine::SetRouterKeys(router, model.metadata);
    });
    ASSERT_TRUE(ImportFile(path, "nano").ok());
    ASSERT_TRUE(ServedAgain("nano"));
  }
  // A coordinator whose registry is in force, with the router "nano" and nothing else loaded.
  void BeginWithRouter() {
    Write(absl::StrCat("router: {model: nano}\n", kRegistry));
    StartCoordinator(WithFile());
    StartWorkers(1);
    ImportSpecialists();
    ImportRouter();
    ASSERT_TRUE(Eventually([&] { return Registry()["fault"].is_null(); })) << Registry();
  }
  // The heartbeats have told that no memory is left.
  bool MemoryIsShort() {
    return Eventually([&] {
      grpc::ClientContext context;
      enigma::v1::PlanRequest request;
      request.set_model("talker");
      enigma::v1::PlanReply plan;
      return cluster_->Plan(&context, request, &plan).ok() && !plan.feasible();
    });
  }
  // What a model takes in one stage.
  uint64_t BytesOfPlan(const std::string& model) {
    grpc::ClientContext context;
    enigma::v1::PlanRequest request;
    request.set_model(model);
    enigma::v1::PlanReply plan;
    EXPECT_TRUE(cluster_->Plan(&context, request, &plan).ok());
    uint64_t bytes = 0;
    for (const auto& stage : plan.stages()) bytes += PlacedBytes(stage);
    return bytes;
  }
  // As its heartbeats told last.
  uint64_t FreeMemory(const std::string& node_id) {
    grpc::ClientContext context;
    enigma::v1::ListNodesReply reply;
    EXPECT_TRUE(cluster_->ListNodes(&context, {}, &reply).ok());
    for (const auto& node : reply.nodes()) {
      if (node.node_id() == node_id) return node.capability().memory_free_bytes();
    }
    return 0;
  }
  // As if a request had wanted it, and was over long ago.
  grpc::Status LoadOnDemand(const std::string& model) {
    grpc::ClientContext context;
    enigma::v1::LoadRequest request;
    request.set_model(model);
    request.mutable_options()->set_on_demand(true);
    const auto stream = cluster_->Load(&context, request);
    while (stream->Read(&last_progress_)) {
    }
    return stream->Finish();
  }
  bool OutOfService(const std::string& model) {
    return Eventually([&] {
      const std::vector<enigma::v1::ReplicaInfo> replicas = Replicas(model);
      return std::none_of(replicas.begin(), replicas.end(), [](const auto& one) { return one.state() == "ready"; });
    });
  }
  // The secret of a new key.
  std::string Key(const std::string& name, const std::vector<std::string>& models, uint32_t requests_per_minute = 0) {
    grpc::ClientContext context;
    enigma::v1::CreateKeyRequest request;
    request.set_name(name);
    request.mutable_models()->Assign(models.begin(), models.end());
    request.mutable_limits()->set_requests_per_minute(requests_per_minute);
    enigma::v1::CreateKeyReply key;
    EXPECT_TRUE(cluster_->CreateKey(&context, request, &key).ok());
    return key.secret();
  }
  HttpAnswer GetWith(const std::string& path, const std::string& secret) const {
    return Send(port(), "GET", path, "", {"Authorization: Bearer " + secret});
  }
  grpc::Status Replace(const std::string& yaml, enigma::v1::SpecialistsReply& reply) {
    grpc::ClientContext context;
    enigma::v1::ReplaceSpecialistsRequest request;
    request.set_text(yaml);
    return cluster_->ReplaceSpecialists(&context, request, &reply);
  }
  // Over gRPC, with metadata to send and those that came.
  using Pairs = std::multimap<std::string, std::string>;
  Generated AskOverGrpc(const std::string& text, const Pairs& sent, Pairs& said) {
    grpc::ClientContext context;
    for (const auto& [name, value] : sent) context.AddMetadata(name, value);
    const auto stream = inference_->Generate(&context, Ask("auto", text, 3));
    enigma::v1::GenerateChunk chunk;
    Generated generated;
    while (stream->Read(&chunk)) Append(chunk, generated);
    generated.status = stream->Finish();
    said.clear();
    for (const auto& [name, value] : context.GetServerInitialMetadata()) {
      said.emplace(std::string(name.data(), name.size()), std::string(value.data(), value.size()));
    }
    return generated;
  }
  static std::string Said(const Pairs& said, const std::string& name) {
    const auto found = said.find(name);
    return found == said.end() ? "" : found->second;
  }
  nlohmann::json Registry() const { return nlohmann::json::parse(Get(port(), "/api/specialists").body); }
  HttpAnswer Complete(const std::string& prompt, const std::vector<std::string>& headers = {},
                      const std::string& model = "auto") const {
    const nlohmann::json body = {{"model", model}, {"prompt", prompt}, {"max_tokens", 3}};
    return Post(port(), "/v1/completions", body.dump(), headers);
  }
  // Where another model has to go first: whoever got its last answer may be a moment ahead of the end of that request.
  HttpAnswer CompleteWhereAnotherGoes(const std::string& prompt) const {
    HttpAnswer answer;
    EXPECT_TRUE(Eventually([&] {
      answer = Complete(prompt);
      return answer.status == 200;
    })) << answer.body;
    return answer;
  }
  HttpAnswer Chat(const nlohmann::json& messages, nlohmann::json more = nlohmann::json::object()) const {
    more["model"] = "auto";
    more["messages"] = messages;
    more["max_tokens"] = 3;
    return Post(port(), "/v1/chat/completions", more.dump());
  }
  static std::string Header(const HttpAnswer& answer, const std::string& name) {
    const auto found = answer.headers.find(name);
    return found == answer.headers.end() ? "" : found->second;
  }
  static std::string Message(const HttpAnswer& answer) {
    return nlohmann::json::parse(answer.body).at("error").at("message").get<std::string>();
  }
  // Which model answered, and by what it was chosen.
  static std::string Chosen(const HttpAnswer& answer) {
    return absl::StrCat(answer.status, " ", Header(answer, "x-enigma-model"), " by ",
                        Header(answer, "x-enigma-route-method"));
  }

  std::string file_;
};

}  // namespace enigma::coordinator::testing
