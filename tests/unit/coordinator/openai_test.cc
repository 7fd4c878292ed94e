// The HTTP API in front of a coordinator whose workers answer what the test says.
#include <algorithm>

#include <absl/strings/str_cat.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/support/edited_model.h"
#include "tests/unit/coordinator/coordinator_fixture.h"
#include "tests/unit/coordinator/http_client.h"

namespace enigma::coordinator::testing {
namespace {

using nlohmann::json;

class OpenAiTest : public CoordinatorTest {
 protected:
  void AnswerWith(const std::string& text) { pipelines_.SetAnswer(Tokenizer()->Encode(text, {})); }
  HttpAnswer Complete(const json& body, const std::vector<std::string>& headers = {}) {
    return Post(port(), "/v1/completions", body.dump(), headers);
  }
  static json Ask(const std::string& prompt, int tokens) {
    return {{"model", "stories"}, {"prompt", prompt}, {"max_tokens", tokens}};
  }
};

TEST_F(OpenAiTest, ACompletionHasTextAndUsage) {
  Serve(2);
  AnswerWith("one two three");
  const HttpAnswer answer = Complete(Ask("Once upon a time", 4));
  ASSERT_EQ(answer.status, 200) << answer.body;
  const json body = json::parse(answer.body);
  EXPECT_EQ(body["object"], "text_completion");
  EXPECT_EQ(body["model"], "stories");
  ASSERT_EQ(body["choices"].size(), 1u);
  EXPECT_EQ(body["choices"][0]["index"], 0);
  EXPECT_EQ(body["choices"][0]["finish_reason"], "length");
  EXPECT_FALSE(body["choices"][0]["text"].get<std::string>().empty());
  EXPECT_TRUE(body["choices"][0]["logprobs"].is_null());
  EXPECT_EQ(body["usage"], json({{"prompt_tokens", 5}, {"completion_tokens", 4}, {"total_tokens", 9}}));
  EXPECT_EQ(answer.headers.at("x-enigma-model"), "stories");
  EXPECT_NE(answer.headers.at("x-enigma-node").find(','), std::string::npos) << "both nodes of the pipeline";
}

TEST_F(OpenAiTest, AStreamGivesTheSameTextInPiecesAndItsUsage) {
  Serve();
  AnswerWith("one two three four");
  json ask = Ask("Once", 6);
  const std::string whole = json::parse(Complete(ask).body)["choices"][0]["text"];
  ask["stream"] = true;
  ask["stream_options"] = {{"include_usage", true}};
  const HttpAnswer answer = Complete(ask);
  ASSERT_EQ(answer.status, 200) << answer.body;
  EXPECT_EQ(answer.headers.at("content-type"), "text/event-stream; charset=utf-8");
  const std::vector<std::string> events = answer.Events();
  ASSERT_GE(events.size(), 4u);
  EXPECT_EQ(events.back(), "[DONE]");
  std::string text;
  std::string id;
  std::string reason;
  for (size_t i = 0; i + 2 < events.size(); ++i) {
    const json chunk = json::parse(events[i]);
    if (id.empty()) id = chunk["id"];
    EXPECT_EQ(chunk["id"], id);
    text += chunk["choices"][0]["text"].get<std::string>();
    if (!chunk["choices"][0]["finish_reason"].is_null()) reason = chunk["choices"][0]["finish_reason"];
  }
  EXPECT_EQ(text, whole);
  EXPECT_EQ(reason, "length");
  const json usage = json::parse(events[events.size() - 2]);
  EXPECT_TRUE(usage["choices"].empty());
  EXPECT_EQ(usage["usage"]["completion_tokens"], 6);
}

TEST_F(OpenAiTest, ChoicesAreNumberedAndSampledApart) {
  Serve();
  AnswerWith("one two");
  json ask = Ask("a", 3);
  ask["n"] = 3;
  ask["seed"] = 7;
  ask["prompt"] = {"a", "b"};
  const json body = json::parse(Complete(ask).body);
  ASSERT_EQ(body["choices"].size(), 6u);
  for (size_t i = 0; i < 6; ++i) EXPECT_EQ(body["choices"][i]["index"], i);
  EXPECT_EQ(body["usage"]["completion_tokens"], 18);
  EXPECT_EQ(body["usage"]["prompt_tokens"], 4) << "two prompts of two tokens, each counted once";
  std::vector<uint32_t> numbers;
  for (const auto& open : pipelines_.opened()) {
    EXPECT_EQ(open.sampling().seed(), 7u);
    numbers.push_back(open.choice());
  }
  EXPECT_THAT(numbers, ::testing::UnorderedElementsAre(0, 1, 2, 0, 1, 2));
}

TEST_F(OpenAiTest, ParametersReachTheWorker) {
  Serve();
  json ask = Ask("a", 3);
  ask.update({{"temperature", 0.5},
              {"top_p", 0.9},
              {"top_k", 40},
              {"min_p", 0.05},
              {"frequency_penalty", 0.25},
              {"presence_penalty", -0.5},
              {"seed", -3},
              {"stop", {"x", "y"}},
              {"logit_bias", {{"5", -100}}},
              {"logprobs", 2},
              {"user", "somebody"}});
  ASSERT_EQ(Complete(ask).status, 200);
  ASSERT_EQ(pipelines_.opened().size(), 1u);
  const auto sampling = pipelines_.opened()[0].sampling();
  EXPECT_FLOAT_EQ(sampling.temperature(), 0.5F);
  EXPECT_FLOAT_EQ(sampling.top_p(), 0.9F);
  EXPECT_EQ(sampling.top_k(), 40u);
  EXPECT_FLOAT_EQ(sampling.min_p(), 0.05F);
  EXPECT_FLOAT_EQ(sampling.frequency_penalty(), 0.25F);
  EXPECT_FLOAT_EQ(sampling.presence_penalty(), -0.5F);
  EXPECT_EQ(sampling.seed(), static_cast<uint64_t>(-3));
  EXPECT_EQ(sampling.stop_size(), 2);
  ASSERT_EQ(sampling.logit_bias_size(), 1);
  EXPECT_EQ(sampling.logit_bias(0).id(), 5);
  EXPECT_EQ(sampling.top_logprobs(), 2u);
}

TEST_F(OpenAiTest, APromptOfIdsIsEchoedAsText) {
  Serve();
  const auto text = [this](const json& ask) { return json::parse(Complete(ask).body)["choices"][0]["text"]; };
  const std::vector<engine::TokenId> ids = Tokenizer()->Encode("once upon", {});
  json ask = Ask("a", 3);
  ask["prompt"] = ids;
  const std::string alone = text(ask);
  ask["echo"] = true;
  EXPECT_EQ(text(ask), engine::Decode(*Tokenizer(), ids) + alone);

  pipelines_.ForgetRequests();
  ask["prompt"] = json::array({{1, 2}, {1, 512}});
  const HttpAnswer unknown = Complete(ask);
  EXPECT_EQ(unknown.status, 400);
  EXPECT_NE(unknown.body.find("prompt: 512 is not a token of 'stories', whose vocabulary ends at 511"),
            std::string::npos)
      << unknown.body;
  EXPECT_TRUE(pipelines_.opened().empty()) << "said before any prompt of the request runs";
}

TEST_F(OpenAiTest, WhatIsWrongIsNamed) {
  Serve();
  const auto param = [this](const char* field, const json& value) {
    json ask = Ask("a", 3);
    ask[field] = value;
    const HttpAnswer answer = Complete(ask);
    EXPECT_EQ(answer.status, 400) << field << ": " << answer.body;
    const json error = json::parse(answer.body)["error"];
    EXPECT_EQ(error["type"], "invalid_request_error");
    return error["param"].is_string() ? error["param"].get<std::string>() : "";
  };
  EXPECT_EQ(param("temperature", 3), "temperature");
  EXPECT_EQ(param("temperature", "hot"), "temperature");
  EXPECT_EQ(param("top_p", 0), "top_p");
  EXPECT_EQ(param("max_tokens", 0), "max_tokens");
  EXPECT_EQ(param("max_tokens", 1.5), "max_tokens");
  EXPECT_EQ(param("n", 1000), "n");
  EXPECT_EQ(param("stop", {""}), "stop");
  EXPECT_EQ(param("logit_bias", {{"one", 1}}), "logit_bias");
  EXPECT_EQ(param("prompt", 5), "prompt");
  EXPECT_EQ(param("prompt", json::array({1, 999999})), "prompt");
  EXPECT_EQ(param("suffix", "end"), "suffix");
  json both = Ask("a", 3);
  both["echo"] = true;
  for (const int top : {0, 1}) {
    both["logprobs"] = top;
    const HttpAnswer answer = Complete(both);
    EXPECT_EQ(answer.status, 400) << answer.body;
    EXPECT_EQ(json::parse(answer.body)["error"]["param"], "logprobs") << answer.body;
  }
  EXPECT_EQ(param("stream_options", {{"include_usage", true}}), "stream_options");
  EXPECT_EQ(param("no_such_parameter", 1), "no_such_parameter");
  EXPECT_EQ(param("prompt", std::string(20000, 'a')), "prompt") << "too long for the context";
  EXPECT_EQ(Post(port(), "/v1/completions", "{\"model\":").status, 400);
  EXPECT_EQ(Post(port(), "/v1/completions", "[1]").status, 400);
  EXPECT_EQ(Post(port(), "/v1/completions", "{\"model\":\"\xff\"}").status, 400);
  EXPECT_EQ(Post(port(), "/v1/completions", std::string(100000, '[')).status, 400);
  const HttpAnswer deep =
      Post(port(), "/v1/completions", "{\"model\":" + std::string(200, '[') + std::string(200, ']') + "}");
  EXPECT_EQ(deep.status, 400);
  EXPECT_NE(deep.body.find("deeper"), std::string::npos) << deep.body;
}

TEST_F(OpenAiTest, StatusesSayWhoseFaultItIs) {
  StartCluster(1);
  EXPECT_EQ(Complete(Ask("a", 1)).status, 404) << "unknown model";
  ASSERT_TRUE(Import("stories").ok());
  const HttpAnswer not_loaded = Complete(Ask("a", 1));
  EXPECT_EQ(not_loaded.status, 503);
  EXPECT_TRUE(not_loaded.headers.contains("retry-after"));
  EXPECT_TRUE(not_loaded.headers.contains("retry-after-ms"));
  EXPECT_EQ(Get(port(), "/v1/nothing").status, 404);
  for (const char* path : {"/", "/v1", "/v1/"}) {
    const HttpAnswer about = Get(port(), path);
    EXPECT_EQ(about.status, 200) << path;
    EXPECT_NE(about.body.find("POST /v1/chat/completions"), std::string::npos) << about.body;
  }
  EXPECT_EQ(Get(port(), "/v1/completions").status, 405);
  EXPECT_EQ(Get(port(), "/v1/completions").headers.at("allow"), "POST");
  EXPECT_EQ(Get(port(), "/health").status, 200);
  EXPECT_EQ(Get(port(), "/health/ready").status, 503);
  ASSERT_TRUE(Load("stories", 1).ok());
  EXPECT_EQ(Get(port(), "/health/ready").status, 200);
}

TEST_F(OpenAiTest, ADeadlineIsAnErrorAndFreesTheSequence) {
  Serve();
  pipelines_.SetManner(FakePipelines::Manner::kHold);
  const HttpAnswer late = Complete(Ask("a", 100), {"x-request-timeout-ms: 200"});
  EXPECT_EQ(late.status, 504) << late.body;
  ASSERT_EQ(pipelines_.opened().size(), 1u);
  const uint64_t sequence = pipelines_.opened()[0].sequence();
  EXPECT_TRUE(Eventually([&] { return pipelines_.cancelled().contains(sequence); }));
  EXPECT_EQ(Complete(Ask("a", 100), {"x-request-timeout-ms: soon"}).status, 400);
}

TEST_F(OpenAiTest, AClientThatClosesFreesItsSequence) {
  Serve();
  pipelines_.SetManner(FakePipelines::Manner::kHold);
  json ask = Ask("a", 100);
  ask["stream"] = true;
  const std::string body = ask.dump();
  {
    RawHttp http(port());
    http.Send(
        absl::StrCat("POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Length: ", body.size(), "\r\n\r\n", body));
    ASSERT_TRUE(Eventually([&] { return pipelines_.opened().size() == 1; }));
  }
  const uint64_t sequence = pipelines_.opened()[0].sequence();
  EXPECT_TRUE(Eventually([&] { return pipelines_.cancelled().contains(sequence); }));
  EXPECT_TRUE(Eventually([&] { return Replicas("stories").at(0).running() == 0; }));
}

std::string CompletionRequest(const json& ask) {
  const std::string body = ask.dump();
  return absl::StrCat("POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Length: ", body.size(), "\r\n\r\n", body);
}

// Proxies cut connections on which nothing moves.
TEST_F(OpenAiTest, AStreamWithNothingToSayPings) {
  Coordinator::Options options = Options();
  options.http_ping = absl::Milliseconds(50);
  options.running_max = 1;
  Serve(options);
  pipelines_.SetManner(FakePipelines::Manner::kHold);
  json ask = Ask("a", 100);
  ask["stream"] = true;
  RawHttp running(port());
  running.Send(CompletionRequest(ask));
  EXPECT_TRUE(running.ReadUntil("data: {"));
  EXPECT_TRUE(running.ReadUntil(": ping\n\n"));
  RawHttp waiting(port());
  waiting.Send(CompletionRequest(ask));
  EXPECT_TRUE(waiting.ReadUntil(": ping\n\n")) << "also while it waits for its turn";
  EXPECT_EQ(pipelines_.opened().size(), 1u);
  running.Close();
  EXPECT_TRUE(waiting.ReadUntil("data: {")) << "and then it has its turn";
}

TEST_F(OpenAiTest, ClientsThatCloseLeaveNothingBehind) {
  Serve();
  pipelines_.SetManner(FakePipelines::Manner::kHold);
  json ask = Ask("a", 100);
  for (int i = 0; i < 300; ++i) {
    ask["stream"] = i % 2 == 0;
    RawHttp http(port());
    http.Send(CompletionRequest(ask));
  }
  const auto nothing_is_left = [&] {
    const std::string metrics = Get(port(), "/metrics").body;
    return Replicas("stories").at(0).running() == 0 &&
           metrics.find("vllm:num_requests_running{model_name=\"stories\"} 0\n") != std::string::npos &&
           metrics.find("vllm:num_requests_waiting{model_name=\"stories\"} 0\n") != std::string::npos;
  };
  // Not all of them need have been heard of when the gauges are 0 for the first time.
  EXPECT_TRUE(
      Eventually([&] { return nothing_is_left() && pipelines_.cancelled().size() == pipelines_.opened().size(); }));
  pipelines_.SetManner(FakePipelines::Manner::kAnswer);
  EXPECT_EQ(Complete(Ask("a", 3)).status, 200);
  EXPECT_TRUE(Eventually(nothing_is_left));
}

// Nothing tells a client that closed from one that only says no more, so it is answered with the reason.
TEST_F(OpenAiTest, AHalfClosedConnectionIsToldWhyItGetsNoAnswer) {
  Serve();
  pipelines_.SetManner(FakePipelines::Manner::kHold);
  RawHttp http(port());
  http.Send(CompletionRequest(Ask("a", 100)));
  ASSERT_TRUE(Eventually([&] { return pipelines_.opened().size() == 1; }));
  http.HalfClose();
  const HttpAnswer answer = http.Read();
  EXPECT_EQ(answer.status, 499) << answer.body;
  EXPECT_TRUE(Eventually([&] { return pipelines_.cancelled().size() == 1; }));
}

TEST_F(OpenAiTest, AFullQueueSaysWhenToComeAgain) {
  Coordinator::Options options = Options();
  options.running_max = 1;
  options.waiting_max = 1;
  Serve(options);
  pipelines_.SetManner(FakePipelines::Manner::kHold);
  RawHttp running(port());
  running.Send(CompletionRequest(Ask("a", 100)));
  ASSERT_TRUE(Eventually([&] { return pipelines_.opened().size() == 1; }));
  RawHttp waiting(port());
  waiting.Send(CompletionRequest(Ask("a", 100)));
  ASSERT_TRUE(Eventually([&] {
    return Get(port(), "/metrics").body.find("vllm:num_requests_waiting{model_name=\"stories\"} 1\n") !=
           std::string::npos;
  }));
  const HttpAnswer refused = Complete(Ask("a", 1));
  EXPECT_EQ(refused.status, 503) << refused.body;
  EXPECT_EQ(json::parse(refused.body)["error"]["code"], "overloaded");
  EXPECT_EQ(refused.headers.at("retry-after"), "1");
  EXPECT_EQ(refused.headers.at("retry-after-ms"), "1000");
}

class ChatTest : public OpenAiTest {
 protected:
  void SetUp() override {
    OpenAiTest::SetUp();
    if (IsSkipped()) return;
    enigma::testing::SetChatTemplate(model_path_,
                                     "{{ bos_token }}{% for m in messages %}{% if m.content == 'no system here' %}"
                                     "{{ raise_exception('no') }}{% endif %}{{ m.role }}: {{ m.content }}\n"
                                     "{% for i in range(repeats | default(0)) %}{{ m.content }}{% endfor %}"
                                     "{% endfor %}{% if add_generation_prompt %}assistant:{% endif %}");
  }
  HttpAnswer Chat(const json& body) { return Post(port(), "/v1/chat/completions", body.dump()); }
  static json Say(const std::string& text) {
    return {{"model", "stories"}, {"messages", {{{"role", "user"}, {"content", text}}}}, {"max_tokens", 4}};
  }
};

TEST_F(ChatTest, IsRenderedByTheModelsTemplate) {
  Serve();
  AnswerWith("one two three");
  const HttpAnswer answer = Chat(Say("Hi"));
  ASSERT_EQ(answer.status, 200) << answer.body;
  const json body = json::parse(answer.body);
  EXPECT_EQ(body["object"], "chat.completion");
  EXPECT_EQ(body["choices"][0]["message"]["role"], "assistant");
  EXPECT_FALSE(body["choices"][0]["message"]["content"].get<std::string>().empty());
  EXPECT_EQ(body["choices"][0]["finish_reason"], "length");
  EXPECT_EQ(body["usage"]["completion_tokens"], 4);
  const auto tokenizer = Tokenizer();
  const std::string prompt = tokenizer->TokenBytes(*tokenizer->bos(), /*render_special=*/true) + "user: Hi\nassistant:";
  const std::vector<int32_t> ids = tokenizer->Encode(prompt, {.add_special = false, .parse_special = true});
  ASSERT_EQ(pipelines_.opened().size(), 1u);
  const auto sent = pipelines_.opened()[0].prompt();
  EXPECT_EQ(std::vector<int32_t>(sent.begin(), sent.end()), ids);
  EXPECT_EQ(std::count(sent.begin(), sent.end(), *tokenizer->bos()), 1) << "the template's own, and no other";
}

TEST_F(ChatTest, StreamsTheRoleThenTheTextThenTheReason) {
  Serve();
  AnswerWith("one two three");
  json say = Say("Hi");
  const std::string whole = json::parse(Chat(say).body)["choices"][0]["message"]["content"];
  say["stream"] = true;
  say["stream_options"] = {{"include_usage", true}};
  const std::vector<std::string> events = Chat(say).Events();
  ASSERT_GE(events.size(), 5u);
  EXPECT_EQ(json::parse(events[0])["choices"][0]["delta"]["role"], "assistant");
  std::string text;
  for (size_t i = 0; i + 3 < events.size(); ++i) {
    const json chunk = json::parse(events[i]);
    EXPECT_EQ(chunk["object"], "chat.completion.chunk");
    EXPECT_TRUE(chunk["choices"][0]["finish_reason"].is_null());
    text += chunk["choices"][0]["delta"]["content"].get<std::string>();
  }
  EXPECT_EQ(text, whole);
  const json last = json::parse(events[events.size() - 3]);
  EXPECT_EQ(last["choices"][0]["finish_reason"], "length");
  EXPECT_TRUE(last["choices"][0]["delta"].empty());
  EXPECT_EQ(json::parse(events[events.size() - 2])["usage"]["completion_tokens"], 4);
  EXPECT_EQ(events.back(), "[DONE]");
}

TEST_F(ChatTest, LogProbabilitiesHaveTheirTokensBytes) {
  Serve();
  AnswerWith("one");
  json say = Say("Hi");
  say["logprobs"] = true;
  say["top_logprobs"] = 2;
  const json content = json::parse(Chat(say).body)["choices"][0]["logprobs"]["content"];
  ASSERT_EQ(content.size(), 4u);
  for (const json& token : content) {
    EXPECT_TRUE(token["token"].is_string());
    EXPECT_TRUE(token["logprob"].is_number());
    EXPECT_TRUE(token["bytes"].is_array());
    EXPECT_LE(token["top_logprobs"].size(), 2u);
  }
}

TEST_F(ChatTest, WrongMessagesAreNamed) {
  Serve();
  const auto param = [this](const json& message) {
    json say = Say("Hi");
    say["messages"] = message;
    const HttpAnswer answer = Chat(say);
    EXPECT_EQ(answer.status, 400) << answer.body;
    return json::parse(answer.body)["error"]["param"].get<std::string>();
  };
  EXPECT_EQ(param({{{"role", "user"}, {"content", std::string(200'000, 'a')}}}), "prompt");
  EXPECT_EQ(param(json::array()), "messages");
  EXPECT_EQ(param("Hi"), "messages");
  EXPECT_EQ(param({{{"role", "king"}, {"content", "Hi"}}}), "messages[0].role");
  EXPECT_EQ(param({{{"role", "user"}, {"content", nullptr}}}), "messages[0].content");
  EXPECT_EQ(param({{{"role", "user"}, {"content", "Hi"}}, {{"role", "user"}, {"content", "Hi"}, {"loud", true}}}),
            "messages[1].loud");
  EXPECT_EQ(param({{{"role", "user"}, {"content", {{{"type", "image_url"}, {"image_url", {{"url", "data:"}}}}}}}}),
            "messages[0].content");
  EXPECT_EQ(param({{{"role", "system"}, {"content", "no system here"}}}), "messages") << "what the template refuses";
  json much = Say(std::string(100'000, 'a'));
  much["chat_template_kwargs"] = {{"repeats", 1000}};
  EXPECT_EQ(json::parse(Chat(much).body)["error"]["param"], "messages") << "what is beyond the template's limits";
  json say = Say("Hi");
  for (const char* old : {"functions", "function_call"}) {
    say = Say("Hi");
    say[old] = {{{"name", "f"}}};
    const json error = json::parse(Chat(say).body)["error"];
    EXPECT_EQ(error["param"], old);
    EXPECT_NE(error["message"].get<std::string>().find("tools"), std::string::npos);
  }
}

TEST_F(OpenAiTest, AModelWithoutATemplateSaysSo) {
  Serve();
  const HttpAnswer answer =
      Post(port(), "/v1/chat/completions", R"({"model":"stories","messages":[{"role":"user","content":"Hi"}]})");
  EXPECT_EQ(answer.status, 400);
  EXPECT_NE(answer.body.find("no chat template"), std::string::npos) << answer.body;
}

TEST_F(OpenAiTest, ModelsTokensAndMetrics) {
  Serve();
  const json models = json::parse(Get(port(), "/v1/models").body);
  ASSERT_EQ(models["data"].size(), 1u);
  EXPECT_EQ(models["data"][0]["id"], "stories");
  EXPECT_EQ(json::parse(Get(port(), "/v1/models/stories").body)["object"], "model");
  EXPECT_EQ(Get(port(), "/v1/models/nobody").status, 404);
  const json ids = json::parse(Post(port(), "/tokenize", R"({"model":"stories","prompt":"Once upon a time"})").body);
  EXPECT_EQ(ids["tokens"], json({1, 403, 407, 261, 378}));
  const HttpAnswer text = Post(port(), "/detokenize", R"({"model":"stories","tokens":[403,407,261,378]})");
  EXPECT_EQ(json::parse(text.body)["prompt"], "Once upon a time");
  EXPECT_EQ(Post(port(), "/detokenize", R"({"model":"stories","tokens":[99999]})").status, 400);
  AnswerWith("one");
  const json plain = json::parse(Post(port(), "/generate", R"({"prompt":"Once","max_gen":3,"temperature":0})").body);
  EXPECT_EQ(plain["completion_tokens"], 3);
  const HttpAnswer metrics = Get(port(), "/metrics");
  EXPECT_NE(metrics.body.find("vllm:num_requests_running"), std::string::npos);
}

}  // namespace
}  // namespace enigma::coordinator::testing
