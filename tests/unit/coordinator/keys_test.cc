// API keys from their creation to the last request that they let in, over HTTP and gRPC.
#include <fstream>

#include <absl/strings/numbers.h>
#include <absl/strings/str_cat.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/unit/coordinator/coordinator_fixture.h"
#include "tests/unit/coordinator/http_client.h"

namespace enigma::coordinator::testing {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::Not;

class KeysTest : public CoordinatorTest {
 protected:
  void Serve() {
    CoordinatorTest::Serve();
    pipelines_.SetAnswer(Tokenizer()->Encode("one two three", {}));
  }
  grpc::Status Create(const enigma::v1::CreateKeyRequest& request) {
    grpc::ClientContext context;
    created_.Clear();
    return cluster_->CreateKey(&context, request, &created_);
  }
  // The secret of a new key.
  std::string KeyOf(enigma::v1::CreateKeyRequest request) {
    const grpc::Status status = Create(request);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return created_.secret();
  }
  static enigma::v1::CreateKeyRequest Named(const std::string& name) {
    enigma::v1::CreateKeyRequest request;
    request.set_name(name);
    return request;
  }
  grpc::Status Revoke(const std::string& key) {
    grpc::ClientContext context;
    enigma::v1::RevokeKeyRequest request;
    request.set_key(key);
    enigma::v1::RevokeKeyReply reply;
    return cluster_->RevokeKey(&context, request, &reply);
  }
  enigma::v1::ListKeysReply Keys() {
    grpc::ClientContext context;
    enigma::v1::ListKeysReply reply;
    EXPECT_TRUE(cluster_->ListKeys(&context, {}, &reply).ok());
    return reply;
  }
  HttpAnswer Complete(const std::string& secret, const std::string& model = "stories", int tokens = 2) {
    const json body = {{"model", model}, {"prompt", "Once"}, {"max_tokens", tokens}};
    return Post(coordinator_->http_port(), "/v1/completions", body.dump(), {"Authorization: Bearer " + secret});
  }
  HttpAnswer GetWith(const std::string& path, const std::string& secret) {
    RawHttp http(coordinator_->http_port());
    http.Send(absl::StrCat("GET ", path, " HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ", secret, "\r\n\r\n"));
    return http.Read();
  }
  Generated GenerateWith(const std::string& secret, grpc::ClientContext& context) {
    context.AddMetadata("authorization", "Bearer " + secret);
    const auto stream = inference_->Generate(&context, Ask("stories", "Once", 2));
    Generated generated;
    enigma::v1::GenerateChunk chunk;
    while (stream->Read(&chunk)) Append(chunk, generated);
    generated.status = stream->Finish();
    return generated;
  }
  static json ErrorOf(const HttpAnswer& answer) { return json::parse(answer.body)["error"]; }

  enigma::v1::CreateKeyReply created_;
};

TEST_F(KeysTest, AKeyMayBeHeldToAClass) {
  Serve();
  enigma::v1::CreateKeyRequest request = Named("batch");
  request.mutable_limits()->set_priority_max(enigma::v1::PRIORITY_LOW);
  const std::string secret = KeyOf(request);
  EXPECT_EQ(Keys().keys(0).limits().priority_max(), enigma::v1::PRIORITY_LOW);
  const auto ask = [&](const json& priority, const std::string& path) {
    json body = {{"model", "stories"}, {"priority", priority}};
    body[path == "/generate" ? "max_gen" : "max_tokens"] = 1;
    if (path == "/v1/chat/completions") {
      body["messages"] = {{{"role", "user"}, {"content", "Once"}}};
    } else {
      body["prompt"] = "Once";
    }
    return Post(coordinator_->http_port(), path, body.dump(), {"Authorization: Bearer " + secret});
  };
  EXPECT_EQ(ask(nullptr, "/v1/completions").status, 200) << "its own class, where it asks for none";
  EXPECT_EQ(ask("low", "/v1/completions").status, 200);
  EXPECT_EQ(ask(7, "/v1/completions").status, 200);
  for (const std::string path : {"/v1/completions", "/generate", "/v1/chat/completions"}) {
    for (const json& priority : {json("high"), json("normal"), json(0), json(-1)}) {
      const HttpAnswer refused = ask(priority, path);
      EXPECT_EQ(refused.status, 403) << path << " " << priority;
      EXPECT_EQ(ErrorOf(refused)["param"], "priority") << refused.body;
      EXPECT_THAT(refused.body, HasSubstr("'low' at most"));
    }
    EXPECT_EQ(ask("urgent", path).status, 400) << path;
    EXPECT_EQ(ask(0.5, path).status, 400) << path;
  }
  grpc::ClientContext context;
  context.AddMetadata("authorization", "Bearer " + secret);
  auto high = Ask("stories", "Once", 1);
  high.set_priority(enigma::v1::PRIORITY_HIGH);
  const auto stream = inference_->Generate(&context, high);
  enigma::v1::GenerateChunk chunk;
  while (stream->Read(&chunk)) {
  }
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::PERMISSION_DENIED);
}

TEST_F(KeysTest, AKeyOpensTheApiUntilItIsRevoked) {
  Serve();
  const std::string secret = KeyOf(Named("ci"));
  EXPECT_EQ(created_.key().state(), "active");
  EXPECT_EQ(Complete(secret).status, 200);
  EXPECT_EQ(Complete("enk-" + std::string(64, '0')).status, 401);
  EXPECT_EQ(
      Post(coordinator_->http_port(), "/v1/completions", R"({"model":"stories","prompt":"a","max_tokens":1})").status,
      200)
      << "this machine needs no key";
  ASSERT_TRUE(Revoke("ci").ok());
  const HttpAnswer refused = Complete(secret);
  EXPECT_EQ(refused.status, 401);
  EXPECT_EQ(refused.headers.at("www-authenticate"), "Bearer");
  EXPECT_EQ(ErrorOf(refused)["code"], "invalid_api_key");
  EXPECT_THAT(refused.body, AllOf(HasSubstr("revoked"), Not(HasSubstr(secret))));
  EXPECT_EQ(Get(coordinator_->http_port(), "/health").status, 200) << "probes need none";
  EXPECT_EQ(Keys().keys(0).state(), "revoked");
  EXPECT_GT(Keys().keys(0).last_used_unix_ms(), 0);
  EXPECT_EQ(Revoke("nobody").error_code(), grpc::StatusCode::NOT_FOUND);
}

TEST_F(KeysTest, AKeyOfCertainModelsSeesAndUsesOnlyThose) {
  Serve();
  enigma::v1::CreateKeyRequest request = Named("narrow");
  request.add_models("other");
  const std::string secret = KeyOf(request);
  EXPECT_THAT(created_.unknown_models(), ::testing::ElementsAre("other"));
  const HttpAnswer refused = Complete(secret);
  EXPECT_EQ(refused.status, 403) << refused.body;
  EXPECT_EQ(ErrorOf(refused)["param"], "model");
  EXPECT_THAT(refused.body, HasSubstr("may not use 'stories'"));
  EXPECT_TRUE(json::parse(GetWith("/v1/models", secret).body)["data"].empty());
  EXPECT_EQ(GetWith("/v1/models/stories", secret).status, 403);
  const HttpAnswer tokens = Post(coordinator_->http_port(), "/tokenize", R"({"model":"stories","prompt":"a"})",
                                 {"Authorization: Bearer " + secret});
  EXPECT_EQ(tokens.status, 403) << tokens.body;
  EXPECT_EQ(Complete(secret, "other").status, 404) << "allowed, and not here";
  grpc::ClientContext context;
  EXPECT_EQ(GenerateWith(secret, context).status.error_code(), grpc::StatusCode::PERMISSION_DENIED);
  EXPECT_TRUE(pipelines_.opened().empty());
}

TEST_F(KeysTest, ALimitSaysWhenToComeAgain) {
  Serve();
  enigma::v1::CreateKeyRequest request = Named("slow");
  request.mutable_limits()->set_requests_per_minute(2);
  const std::string secret = KeyOf(request);
  EXPECT_EQ(Complete(secret).status, 200);
  grpc::ClientContext first;
  EXPECT_TRUE(GenerateWith(secret, first).status.ok());
  const HttpAnswer refused = Complete(secret);
  EXPECT_EQ(refused.status, 429) << refused.body;
  EXPECT_EQ(ErrorOf(refused)["code"], "rate_limit_exceeded");
  int64_t seconds = 0;
  int64_t ms = 0;
  ASSERT_TRUE(absl::SimpleAtoi(refused.headers.at("retry-after"), &seconds));
  ASSERT_TRUE(absl::SimpleAtoi(refused.headers.at("retry-after-ms"), &ms));
  EXPECT_GT(ms, 0);
  EXPECT_LE(ms, 30'000);
  EXPECT_EQ(seconds, (ms + 999) / 1000);
  grpc::ClientContext second;
  EXPECT_EQ(GenerateWith(secret, second).status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_TRUE(second.GetServerTrailingMetadata().contains("retry-after-ms"));
}

TEST_F(KeysTest, TokensAreSettledWithWhatWasUsed) {
  Serve();
  enigma::v1::CreateKeyRequest request = Named("frugal");
  request.mutable_limits()->set_tokens_per_minute(600);
  const std::string secret = KeyOf(request);
  // Each of these is estimated at 502 tokens, and stops after a few: unsettled, the second would be refused.
  const json brief = {{"model", "stories"}, {"prompt", "Once"}, {"max_tokens", 500}, {"stop", {"two"}}};
  for (int i = 0; i < 4; ++i) {
    const HttpAnswer answer =
        Post(coordinator_->http_port(), "/v1/completions", brief.dump(), {"Authorization: Bearer " + secret});
    ASSERT_EQ(answer.status, 200) << i << ": " << answer.body;
    ASSERT_EQ(json::parse(answer.body)["choices"][0]["finish_reason"], "stop");
  }
  EXPECT_EQ(Complete(secret, "stories", 400).status, 200);
  const HttpAnswer refused = Complete(secret, "stories", 400);
  EXPECT_EQ(refused.status, 429) << refused.body;
  EXPECT_THAT(refused.body, HasSubstr("600 tokens a minute"));
  EXPECT_EQ(Complete(secret, "stories", 5).status, 200) << "there is room for a small one";
}

// A text of few bytes a token: what it is estimated at is far less than it has.
TEST_F(KeysTest, APromptIsHeldToTheTokensAMinuteBeforeItRuns) {
  Serve();
  const std::string dense(200, '~');
  const auto count = Tokenizer()->Encode(dense, {.add_special = true, .parse_special = false}).size();
  ASSERT_GT(count, 150u);
  const auto key_of = [this](const std::string& name, uint64_t tokens_per_minute) {
    enigma::v1::CreateKeyRequest request = Named(name);
    request.mutable_limits()->set_tokens_per_minute(tokens_per_minute);
    return KeyOf(request);
  };
  const json prompts = {{"model", "stories"}, {"max_tokens", 1}, {"prompt", {"a", dense, dense}}};
  const json choices = {{"model", "stories"}, {"max_tokens", 1}, {"prompt", dense}, {"n", 2}};
  const json texts = {{"model", "stories"}, {"input", {dense, dense}}};
  const auto post = [this](const std::string& path, const json& body, const std::string& secret) {
    return Post(coordinator_->http_port(), path, body.dump(), {"Authorization: Bearer " + secret});
  };
  const auto generate = [&](const std::string& secret, grpc::ClientContext& context) {
    context.AddMetadata("authorization", "Bearer " + secret);
    const auto stream = inference_->Generate(&context, Ask("stories", dense, 1));
    enigma::v1::GenerateChunk chunk;
    while (stream->Read(&chunk)) {
    }
    return stream->Finish();
  };

  // What would never fit is told so.
  const std::string tiny = key_of("tiny", 140);
  for (const auto& [path, body, field] :
       {std::tuple("/v1/completions", prompts, "prompt"), std::tuple("/v1/completions", choices, "prompt"),
        std::tuple("/v1/embeddings", texts, "input")}) {
    const HttpAnswer never = post(path, body, tiny);
    EXPECT_EQ(never.status, 400) << path << never.body;
    EXPECT_EQ(ErrorOf(never)["param"], field) << never.body;
    EXPECT_THAT(never.body, HasSubstr("more than the 140 tokens a minute"));
    EXPECT_FALSE(never.headers.contains("retry-after"));
  }
  grpc::ClientContext never;
  EXPECT_EQ(generate(tiny, never).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_TRUE(pipelines_.opened().empty());

  // What does not fit now is told when, whole, and for nothing.
  const std::string busy = key_of("busy", 1000);
  EXPECT_EQ(post("/v1/embeddings",
                 {{"model", "stories"}, {"input", {std::vector<int>(450, 5), std::vector<int>(430, 5)}}}, busy)
                .status,
            200);
  pipelines_.ForgetRequests();
  for (int i = 0; i < 2; ++i) {
    for (const auto& [path, body] : {std::pair("/v1/completions", prompts), std::pair("/v1/completions", choices),
                                     std::pair("/v1/embeddings", texts)}) {
      const HttpAnswer later = post(path, body, busy);
      EXPECT_EQ(later.status, 429) << path << later.body;
      EXPECT_TRUE(later.headers.contains("retry-after-ms")) << path;
    }
    grpc::ClientContext context;
    EXPECT_EQ(generate(busy, context).error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
    EXPECT_TRUE(context.GetServerTrailingMetadata().contains("retry-after-ms"));
  }
  EXPECT_TRUE(pipelines_.opened().empty()) << "not even the prompt that would have fitted by itself";
  EXPECT_EQ(Complete(busy, "stories", 90).status, 200) << "the refusals were charged nothing";
}

TEST_F(KeysTest, AnEndedRequestMakesRoomBeforeItsClientHears) {
  Serve();
  enigma::v1::CreateKeyRequest request = Named("one");
  request.mutable_limits()->set_concurrency_max(1);
  const std::string secret = KeyOf(request);
  for (int i = 0; i < 20; ++i) {
    ASSERT_EQ(Complete(secret).status, 200) << i;
    grpc::ClientContext context;
    ASSERT_TRUE(GenerateWith(secret, context).status.ok()) << i;
  }
  ASSERT_EQ(Complete(secret, "unknown").status, 404);
  ASSERT_EQ(Complete(secret).status, 200) << "a failed request has ended too";

  pipelines_.SetManner(FakePipelines::Manner::kHold);
  const size_t before = pipelines_.opened().size();
  {
    const std::string body = R"({"model":"stories","prompt":"Once","max_tokens":2,"stream":true})";
    RawHttp http(coordinator_->http_port());
    http.Send(absl::StrCat("POST /v1/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ", secret,
                           "\r\nContent-Length: ", body.size(), "\r\n\r\n", body));
    ASSERT_TRUE(Eventually([&] { return pipelines_.opened().size() > before; }));
    EXPECT_EQ(Keys().keys(0).running(), 1u);
    const HttpAnswer refused = Complete(secret);
    EXPECT_EQ(refused.status, 429);
    EXPECT_TRUE(refused.headers.contains("retry-after"));
  }
  EXPECT_TRUE(Eventually([&] { return Keys().keys(0).running() == 0; })) << "a client that goes away frees its place";
}

TEST_F(KeysTest, KeysAreThereAfterARestartAndNothingHoldsASecret) {
  StartCoordinator(Options());
  const std::string secret = KeyOf(Named("ci"));
  EXPECT_EQ(Create(Named("ci")).error_code(), grpc::StatusCode::ALREADY_EXISTS);
  EXPECT_EQ(Create(Named("")).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(GetWith("/v1/models", secret).status, 200);
  coordinator_.reset();
  StartCoordinator(Options());
  EXPECT_EQ(GetWith("/v1/models", secret).status, 200);
  ASSERT_EQ(Keys().keys_size(), 1);
  ASSERT_TRUE(Revoke(Keys().keys(0).key_id()).ok());
  EXPECT_EQ(GetWith("/v1/models", secret).status, 401);
  coordinator_.reset();

  size_t files = 0;
  for (const auto& file : std::filesystem::recursive_directory_iterator(folder_ + "/data")) {
    if (!file.is_regular_file()) continue;
    ++files;
    std::ifstream in(file.path(), std::ios::binary);
    const std::string bytes((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
    EXPECT_THAT(bytes, Not(HasSubstr(secret.substr(4)))) << file.path();
  }
  EXPECT_GT(files, 1u);
}

TEST_F(KeysTest, AdministrativeActsAreNoted) {
  Serve();
  KeyOf(Named("ci"));
  EXPECT_FALSE(Revoke("nobody").ok());
  ASSERT_TRUE(Unload("stories").ok());
  std::vector<std::string> acts;
  std::ifstream in(folder_ + "/data/audit.log");
  for (std::string line; std::getline(in, line);) {
    const json act = json::parse(line);
    EXPECT_EQ(act["role"], "unproved") << "a cluster without TLS";
    EXPECT_THAT(act["peer"].get<std::string>(), HasSubstr("127.0.0.1"));
    acts.push_back(act["act"].get<std::string>() + (act["outcome"] == "ok" ? "" : " failed"));
  }
  EXPECT_THAT(acts, ::testing::ElementsAre("models.import", "load", "keys.create", "keys.revoke failed", "unload"));
}

}  // namespace
}  // namespace enigma::coordinator::testing
