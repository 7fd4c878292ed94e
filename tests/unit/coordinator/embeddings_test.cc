// Embeddings over HTTP and gRPC, from a coordinator whose workers answer what the test says.
#include <cstring>

#include <absl/strings/escaping.h>
#include <absl/strings/str_cat.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/unit/coordinator/coordinator_fixture.h"
#include "tests/unit/coordinator/http_client.h"

namespace enigma::coordinator::testing {
namespace {

using nlohmann::json;
using ::testing::Each;
using ::testing::HasSubstr;

class EmbeddingsTest : public CoordinatorTest {
 protected:
  static json Ask(const json& input) { return {{"model", "stories"}, {"input", input}}; }
  HttpAnswer Embed(const json& body, const std::vector<std::string>& headers = {}) {
    return Post(port(), "/v1/embeddings", body.dump(), headers);
  }
  static enigma::v1::EmbedRequest Request(const std::vector<std::string>& texts) {
    enigma::v1::EmbedRequest request;
    request.set_model("stories");
    for (const std::string& text : texts) request.add_input()->set_text(text);
    return request;
  }
  grpc::Status Call(const enigma::v1::EmbedRequest& request) {
    grpc::ClientContext context;
    reply_.Clear();
    return inference_->Embed(&context, request, &reply_);
  }
  // What the fake worker makes of a text of so many tokens.
  static std::vector<float> Expected(int tokens) {
    std::vector<float> vector(FakePipelines::kEmbeddingWidth);
    vector[0] = 0.6F;
    vector[static_cast<size_t>(1 + tokens % (FakePipelines::kEmbeddingWidth - 1))] = 0.8F;
    return vector;
  }
  bool AllFreed() {
    return Eventually([&] {
      const auto opened = pipelines_.opened();
      const auto cancelled = pipelines_.cancelled();
      for (const auto& open : opened) {
        if (!cancelled.contains(open.sequence())) return false;
      }
      return !opened.empty() && Replicas("stories").at(0).running() == 0 && Replicas("stories").at(0).waiting() == 0;
    });
  }

  enigma::v1::EmbedReply reply_;
};

TEST_F(EmbeddingsTest, EveryInputGetsItsVectorInOrder) {
  Serve();
  json ids = json::array();
  for (int i = 0; i < 512; ++i) ids.push_back(i);  // fills the context to its last token
  json ask = Ask(json::array({"Once upon a time", ids, "a", {5, 6, 7}}));
  ask["user"] = "somebody";
  const HttpAnswer answer = Embed(ask);
  ASSERT_EQ(answer.status, 200) << answer.body;
  const json body = json::parse(answer.body);
  EXPECT_EQ(body["object"], "list");
  EXPECT_EQ(body["model"], "stories");
  const std::vector<int> tokens = {5, 512, 2, 3};
  ASSERT_EQ(body["data"].size(), tokens.size());
  for (size_t i = 0; i < tokens.size(); ++i) {
    EXPECT_EQ(body["data"][i]["object"], "embedding");
    EXPECT_EQ(body["data"][i]["index"], i);
    EXPECT_EQ(body["data"][i]["embedding"].get<std::vector<float>>(), Expected(tokens[i])) << i;
  }
  EXPECT_EQ(body["usage"], json({{"prompt_tokens", 522}, {"total_tokens", 522}}));
  EXPECT_EQ(answer.headers.at("x-enigma-model"), "stories");
  EXPECT_EQ(answer.headers.at("x-enigma-node"), "n0");
  for (const auto& open : pipelines_.opened()) EXPECT_EQ(open.pooling(), enigma::v1::POOLING_MEAN);
}

TEST_F(EmbeddingsTest, OneInputMayStandAloneAndBase64HoldsTheSameFloats) {
  Serve();
  for (const json& input : {json("Once upon a time"), json({1, 403, 407, 261, 378})}) {
    json ask = Ask(input);
    ask["encoding_format"] = "base64";
    const json body = json::parse(Embed(ask).body);
    ASSERT_EQ(body["data"].size(), 1u) << body.dump();
    std::string bytes;
    ASSERT_TRUE(absl::Base64Unescape(body["data"][0]["embedding"].get<std::string>(), &bytes));
    std::vector<float> values(bytes.size() / sizeof(float));
    std::memcpy(values.data(), bytes.data(), bytes.size());
    EXPECT_EQ(values, Expected(5));
  }
}

TEST_F(EmbeddingsTest, DimensionsArePrefixesOfUnitLengthAndPoolingIsChosen) {
  Serve();
  json ask = Ask("a");  // 0.6 0 0 0.8 0 0 ...
  ask["pooling"] = "last";
  for (const auto& [dimensions, expected] :
       {std::pair<int, std::vector<float>>{1, {1}}, {3, {1, 0, 0}}, {4, {0.6F, 0, 0, 0.8F}}}) {
    ask["dimensions"] = dimensions;
    const json body = json::parse(Embed(ask).body);
    EXPECT_EQ(body["data"][0]["embedding"].get<std::vector<float>>(), expected);
  }
  for (const auto& open : pipelines_.opened()) EXPECT_EQ(open.pooling(), enigma::v1::POOLING_LAST);
}

TEST_F(EmbeddingsTest, WhatIsWrongIsNamedAndNothingRuns) {
  Serve();
  const auto param = [this](const char* field, const json& value) {
    json ask = Ask("a");
    ask[field] = value;
    const HttpAnswer answer = Embed(ask);
    EXPECT_EQ(answer.status, 400) << field << ": " << answer.body;
    const json error = json::parse(answer.body)["error"];
    return error["param"].is_string() ? error["param"].get<std::string>() : "";
  };
  EXPECT_EQ(param("input", nullptr), "input");
  EXPECT_EQ(param("input", 5), "input");
  EXPECT_EQ(param("input", json::array()), "input");
  EXPECT_EQ(param("input", ""), "input[0]");
  EXPECT_EQ(param("input", {"a", ""}), "input[1]");
  EXPECT_EQ(param("input", {"a", 5}), "input[1]");
  EXPECT_EQ(param("input", {{1, 2}, json::array()}), "input[1]");
  EXPECT_EQ(param("input", {1.5, 2}), "input");
  EXPECT_EQ(param("input", {1, 512}), "input[0]") << "no such token";
  EXPECT_EQ(param("input", std::vector<std::string>(2049, "a")), "input");
  EXPECT_EQ(param("dimensions", 0), "dimensions");
  EXPECT_EQ(param("dimensions", 65), "dimensions");
  EXPECT_EQ(param("encoding_format", "hex"), "encoding_format");
  EXPECT_EQ(param("pooling", "max"), "pooling");
  EXPECT_EQ(param("temperature", 1), "temperature");
  const HttpAnswer longer = Embed(Ask({"a", std::vector<int>(513, 5)}));
  EXPECT_EQ(longer.status, 400);
  EXPECT_THAT(longer.body, AllOf(HasSubstr("input[1]"), HasSubstr("513 tokens"), HasSubstr("holds 512")));
  const HttpAnswer all = Embed(Ask(std::vector<std::vector<int>>(600, std::vector<int>(501, 5))));
  EXPECT_EQ(all.status, 400);
  EXPECT_THAT(all.body, AllOf(HasSubstr("300099 tokens"), HasSubstr("300000")));
  EXPECT_TRUE(pipelines_.opened().empty());
}

TEST_F(EmbeddingsTest, AListLongerThanTheQueueGoesThrough) {
  Coordinator::Options options = Options();
  options.running_max = 2;
  options.waiting_max = 40;
  Serve(options);
  const json body = json::parse(Embed(Ask(std::vector<std::string>(300, "a"))).body);
  ASSERT_EQ(body["data"].size(), 300u) << body.dump().substr(0, 300);
  for (const json& one : body["data"]) EXPECT_EQ(one["embedding"].get<std::vector<float>>(), Expected(2));
  EXPECT_EQ(pipelines_.opened().size(), 300u);
}

TEST_F(EmbeddingsTest, ADeadlineAClosedConnectionAndACancelledCallFreeTheSequences) {
  Serve();
  pipelines_.SetManner(FakePipelines::Manner::kHold);
  const json ask = Ask(std::vector<std::string>(100, "a"));
  const HttpAnswer late = Embed(ask, {"x-request-timeout-ms: 200"});
  EXPECT_EQ(late.status, 504) << late.body;
  EXPECT_TRUE(AllFreed());
  const size_t before = pipelines_.opened().size();
  {
    const std::string body = ask.dump();
    RawHttp http(port());
    http.Send(
        absl::StrCat("POST /v1/embeddings HTTP/1.1\r\nHost: x\r\nContent-Length: ", body.size(), "\r\n\r\n", body));
    ASSERT_TRUE(Eventually([&] { return pipelines_.opened().size() > before; }));
  }
  EXPECT_TRUE(AllFreed());
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::milliseconds(300));
  EXPECT_EQ(inference_->Embed(&context, Request({"a", "b"}), &reply_).error_code(),
            grpc::StatusCode::DEADLINE_EXCEEDED);
  EXPECT_TRUE(AllFreed());
}

TEST_F(EmbeddingsTest, OverGrpcTheyAreTheSame) {
  Serve();
  enigma::v1::EmbedRequest request = Request({"Once upon a time"});
  for (const int32_t id : {5, 6, 7}) request.add_input()->mutable_ids()->add_ids(id);
  request.mutable_input(1)->mutable_ids()->add_ids(9);
  ASSERT_TRUE(Call(request).ok());
  EXPECT_EQ(reply_.model(), "stories");
  EXPECT_EQ(reply_.contract(), "fake-v1");
  EXPECT_THAT(reply_.nodes(), ::testing::ElementsAre("n0"));
  EXPECT_EQ(reply_.prompt_tokens(), 9u);
  ASSERT_EQ(reply_.embeddings_size(), 4);
  const std::vector<int> tokens = {5, 2, 1, 1};
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(reply_.embeddings(i).tokens(), static_cast<uint32_t>(tokens[static_cast<size_t>(i)]));
    EXPECT_THAT(reply_.embeddings(i).values(), ::testing::ElementsAreArray(Expected(tokens[static_cast<size_t>(i)])));
  }
  request.set_dimensions(65);
  EXPECT_THAT(Call(request).error_message(), HasSubstr("dimensions: 65"));
  EXPECT_EQ(Call(Request({})).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  request = Request({"a"});
  request.set_model("nobody");
  EXPECT_EQ(Call(request).error_code(), grpc::StatusCode::NOT_FOUND);
  pipelines_.SetManner(FakePipelines::Manner::kRefuse);
  const grpc::Status refused = Call(Request({"a", "b", "c"}));
  EXPECT_THAT(refused.error_message(), HasSubstr("no room for it here"));
}

TEST_F(EmbeddingsTest, TokensAreCountedOnceAndChargedToTheKey) {
  Serve();
  enigma::v1::CreateKeyRequest create;
  create.set_name("small");
  create.mutable_limits()->set_tokens_per_minute(100);
  enigma::v1::CreateKeyReply created;
  grpc::ClientContext context;
  ASSERT_TRUE(cluster_->CreateKey(&context, create, &created).ok());
  const std::vector<std::string> key = {"Authorization: Bearer " + created.secret()};
  EXPECT_EQ(Embed(Ask({std::vector<int>(60, 5), std::vector<int>(36, 5)}), key).status, 200);
  const HttpAnswer refused = Embed(Ask({std::vector<int>(20, 5)}), key);
  EXPECT_EQ(refused.status, 429) << refused.body;
  EXPECT_TRUE(refused.headers.contains("retry-after-ms"));
  const std::string metrics = Get(port(), "/metrics").body;
  EXPECT_THAT(metrics, HasSubstr("vllm:prompt_tokens_total{model_name=\"stories\"} 96\n"));
  EXPECT_THAT(metrics, HasSubstr("vllm:request_success_total{finished_reason=\"stop\",model_name=\"stories\"} 2\n"));
  EXPECT_THAT(metrics, HasSubstr("vllm:num_requests_running{model_name=\"stories\"} 0\n"));
  EXPECT_THAT(metrics, HasSubstr("vllm:num_requests_waiting{model_name=\"stories\"} 0\n"));
}

}  // namespace
}  // namespace enigma::coordinator::testing
