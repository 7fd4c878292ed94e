// Answers by schema, in front of workers that note what they are asked for.
#include <atomic>
#include <thread>

#include <absl/strings/str_cat.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/support/edited_model.h"
#include "tests/unit/coordinator/coordinator_fixture.h"
#include "tests/unit/coordinator/http_client.h"

namespace enigma::coordinator::testing {
namespace {

using ::testing::HasSubstr;
using OrderedJson = nlohmann::ordered_json;

class ResponseFormatTest : public CoordinatorTest {
 protected:
  void SetUp() override {
    CoordinatorTest::SetUp();
    if (IsSkipped()) return;
    enigma::testing::SetChatTemplate(model_path_, "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}");
    Serve(2);
  }

  HttpAnswer Ask(const std::string& path, const OrderedJson& format, const OrderedJson& more = OrderedJson::object(),
                 const std::vector<std::string>& headers = {}) {
    OrderedJson body = {{"model", "stories"}, {"max_tokens", 3}, {"response_format", format}};
    if (path == "/v1/completions") {
      body["prompt"] = "Once";
    } else {
      body["messages"] = {{{"role", "user"}, {"content", "Once"}}};
    }
    body.update(more);
    return Post(coordinator_->http_port(), path, body.dump(), headers);
  }
  static OrderedJson Schema(const OrderedJson& schema) {
    return {{"type", "json_schema"}, {"json_schema", {{"name", "answer"}, {"strict", true}, {"schema", schema}}}};
  }
  static constexpr const char* kPaths[] = {"/v1/chat/completions", "/v1/completions"};
};

TEST_F(ResponseFormatTest, GoesToTheLastStageBeforeTheSequenceAndNotIntoTheFrames) {
  const OrderedJson schema =
      OrderedJson::parse(R"({"type":"object","properties":{"z":{"type":"null"},"a":{"type":"null"}}})");
  size_t count = 0;
  for (const char* path : kPaths) {
    const HttpAnswer answer = Ask(path, Schema(schema), {{"n", 2}});
    ASSERT_EQ(answer.status, 200) << answer.body;
    ASSERT_EQ(Ask(path, {{"type", "json_object"}}).status, 200);
    const auto prepared = pipelines_.prepared();
    const auto opened = pipelines_.opened();
    ASSERT_EQ(prepared.size(), count + 3) << path;
    ASSERT_EQ(opened.size(), count + 3) << path;
    for (; count < prepared.size(); ++count) {
      EXPECT_EQ(prepared[count].json_schema(), count % 3 == 2 ? "" : schema.dump()) << "its members in their order";
      EXPECT_TRUE(opened[count].constrained());
      EXPECT_FALSE(opened[count].sampling().has_json_schema());
    }
    ASSERT_EQ(Ask(path, {{"type", "text"}}).status, 200);
    ASSERT_EQ(Ask(path, nullptr).status, 200);
    EXPECT_EQ(pipelines_.prepared().size(), count);
    EXPECT_FALSE(pipelines_.opened().back().constrained());
    count = 0;
    pipelines_.ForgetRequests();
  }
}

TEST_F(ResponseFormatTest, WhatIsWrongIsNamed) {
  const std::string deep = [] {
    OrderedJson schema = {{"type", "string"}};
    for (int i = 0; i < 64; ++i) schema = {{"type", "array"}, {"items", schema}};
    return schema.dump();
  }();
  const std::pair<OrderedJson, const char*> cases[] = {
      {"json_object", "response_format"},
      {{{"type", "yaml"}}, "response_format.type"},
      {OrderedJson::object(), "response_format.type"},
      {{{"type", "json_object"}, {"loud", true}}, "response_format.loud"},
      {{{"type", "json_schema"}}, "response_format.json_schema"},
      {{{"type", "json_schema"}, {"json_schema", {{"schema", OrderedJson::object()}}}},
       "response_format.json_schema.name"},
      {{{"type", "json_schema"}, {"json_schema", {{"name", "a b"}}}}, "response_format.json_schema.name"},
      {{{"type", "json_schema"}, {"json_schema", {{"name", "a"}, {"schema", true}}}},
       "response_format.json_schema.schema"},
      {{{"type", "json_schema"}, {"json_schema", {{"name", "a"}, {"strict", 1}}}},
       "response_format.json_schema.strict"},
      {Schema({{"type", "king"}}), "response_format.json_schema.schema"},
      {Schema({{"$calls", OrderedJson::object()}}), "response_format.json_schema.schema"},
      {Schema({{"multipleOf", 3}}), "response_format.json_schema.schema"},
      {Schema({{"type", "string"}, {"pattern", "(a|b)*a(a|b){40}c"}}), "response_format.json_schema.schema"},
      {Schema({{"description", std::string(300'000, 'x')}}), "response_format.json_schema.schema"},
  };
  for (const char* path : kPaths) {
    for (const auto& [format, param] : cases) {
      const HttpAnswer answer = Ask(path, format);
      EXPECT_EQ(answer.status, 400) << answer.body;
      EXPECT_EQ(OrderedJson::parse(answer.body)["error"]["param"], param) << answer.body;
    }
    const HttpAnswer too_deep = Ask(path, Schema(OrderedJson::parse(deep)));
    EXPECT_EQ(too_deep.status, 400);
    EXPECT_THAT(too_deep.body, HasSubstr("nests deeper than 64 levels"));
    const HttpAnswer named = Ask(path, Schema({{"properties", {{"a", {{"multipleOf", 3}}}}}}));
    EXPECT_THAT(named.body, HasSubstr("#/properties/a/multipleOf"));
  }
  EXPECT_TRUE(pipelines_.prepared().empty());
  EXPECT_TRUE(pipelines_.opened().empty());
}

TEST_F(ResponseFormatTest, GrpcHasItToo) {
  enigma::v1::GenerateRequest request = CoordinatorTest::Ask("stories", "Once", 3);
  request.mutable_sampling()->set_json_schema(R"({"type":"null"})");
  EXPECT_TRUE(Generate(request).status.ok());
  ASSERT_EQ(pipelines_.prepared().size(), 1U);
  EXPECT_EQ(pipelines_.prepared()[0].json_schema(), R"({"type":"null"})");
  EXPECT_EQ(pipelines_.prepared()[0].sequence(), pipelines_.opened()[0].sequence());
  request.mutable_sampling()->set_json_schema(R"({"type":"king"})");
  const grpc::Status refused = Generate(request).status;
  EXPECT_EQ(refused.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(refused.error_message(), HasSubstr("json_schema: #/type"));
}

TEST_F(ResponseFormatTest, WhatAStageCannotDoEndsThatRequestAlone) {
  pipelines_.RefuseConstraints(absl::InvalidArgumentError("this schema is beyond this node"));
  const HttpAnswer refused = Ask(kPaths[0], {{"type", "json_object"}});
  EXPECT_EQ(refused.status, 400) << refused.body;
  EXPECT_THAT(refused.body, HasSubstr("beyond this node"));
  EXPECT_TRUE(pipelines_.opened().empty());
  pipelines_.RefuseConstraints(absl::OkStatus());

  pipelines_.SetManner(FakePipelines::Manner::kHold);
  HttpAnswer broken;
  std::thread client([&] { broken = Ask(kPaths[0], {{"type", "json_object"}}); });
  EXPECT_TRUE(Eventually([&] { return pipelines_.opened().size() == 1; }));
  const uint64_t replica = Replicas("stories").at(0).replica();
  pipelines_.BreakOff(replica, pipelines_.opened()[0].sequence(),
                      absl::InvalidArgumentError("the output cannot be continued"));
  client.join();
  EXPECT_EQ(broken.status, 400) << broken.body;
  EXPECT_THAT(broken.body, HasSubstr("cannot be continued"));
  EXPECT_TRUE(Eventually([&] { return Replicas("stories").at(0).running() == 0; }));
  pipelines_.SetManner(FakePipelines::Manner::kAnswer);
  EXPECT_EQ(Ask(kPaths[0], {{"type", "json_object"}}).status, 200);
}

TEST_F(ResponseFormatTest, AClientThatGoesWhileItIsPreparedLeavesNothing) {
  pipelines_.HoldConstraints(true);
  EXPECT_EQ(Ask(kPaths[1], {{"type", "json_object"}}, OrderedJson::object(), {"x-request-timeout-ms: 200"}).status,
            504);
  EXPECT_TRUE(Eventually([&] { return Replicas("stories").at(0).running() == 0; }));
  EXPECT_TRUE(pipelines_.opened().empty());
  pipelines_.HoldConstraints(false);
  // The stage forgets what it prepared with the end of the sequence, so it is told of both.
  EXPECT_TRUE(Eventually([&] { return pipelines_.opened().size() == 1 && pipelines_.cancelled().size() == 1; }));
}

// Sixty schemas that take as much work as is allowed: each is a 400, and others are served meanwhile.
TEST_F(ResponseFormatTest, ManyHostileSchemasHoldNobodyUp) {
  std::atomic<int> refused = 0;
  std::vector<std::thread> clients;
  for (int i = 0; i < 6; ++i) {
    clients.emplace_back([this, &refused, i] {
      for (int k = 0; k < 10; ++k) {
        const std::string pattern = absl::StrCat("^(abc|de)*", i, "x", k, "(a|b)*a(a|b){40}c");
        refused += Ask(kPaths[i % 2], Schema({{"type", "string"}, {"pattern", pattern}})).status == 400 ? 1 : 0;
      }
    });
  }
  for (int i = 0; i < 10; ++i) EXPECT_EQ(Ask(kPaths[i % 2], {{"type", "text"}}).status, 200);
  EXPECT_LT(refused, 60) << "the others did not wait for these";
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(refused, 60);
}

}  // namespace
}  // namespace enigma::coordinator::testing
