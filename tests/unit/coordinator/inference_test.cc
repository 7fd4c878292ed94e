// enigma.v1.Inference beside the HTTP API: the same abilities, the same statuses.
#include <chrono>
#include <fstream>
#include <future>
#include <sstream>

#include <absl/strings/numbers.h>
#include <absl/strings/str_cat.h>
#include <absl/time/clock.h>
#include <gmock/gmock.h>
#include <grpcpp/generic/generic_stub.h>
#include <gtest/gtest.h>

#include "tests/support/edited_model.h"
#include "tests/unit/coordinator/coordinator_fixture.h"
#include "tests/unit/coordinator/http_client.h"

namespace enigma::coordinator::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class InferenceTest : public CoordinatorTest {
 protected:
  void GiveTemplate() {
    enigma::testing::SetChatTemplate(model_path_,
                                     "{{ bos_token }}{% for m in messages %}{% if m.content == 'hush' %}"
                                     "{{ raise_exception('not of that') }}{% endif %}{{ m.role }}: {{ m.content }}\n"
                                     "{% endfor %}{% if loud %}LOUD {% endif %}assistant:");
  }
  static enigma::v1::GenerateRequest Talk(const std::vector<std::pair<std::string, std::string>>& turns) {
    enigma::v1::GenerateRequest request;
    request.set_model("stories");
    request.mutable_chat();
    for (const auto& [role, text] : turns) {
      enigma::v1::ChatMessage* message = request.mutable_chat()->add_messages();
      message->set_role(role);
      message->set_content(text);
    }
    request.mutable_sampling()->set_max_tokens(3);
    return request;
  }
  std::vector<int32_t> Encoded(const std::string& text) {
    const auto tokenizer = Tokenizer();
    return tokenizer->Encode(tokenizer->TokenBytes(*tokenizer->bos(), /*render_special=*/true) + text,
                             {.add_special = false, .parse_special = true});
  }
  // Any method of any service, without its stub: both messages as bytes.
  grpc::Status CallRaw(const std::string& method, const std::string& request, std::string& reply) {
    grpc::GenericStub stub(MakeChannel(endpoint_, nullptr, ExpectedPeer::AnyNode()));
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(30));
    grpc::CompletionQueue queue;
    grpc::Slice slice(request);
    grpc::ByteBuffer sent(&slice, 1);
    grpc::ByteBuffer received;
    grpc::Status status;
    const auto call = stub.PrepareUnaryCall(&context, method, sent, &queue);
    call->StartCall();
    call->Finish(&received, &status, this);
    void* tag = nullptr;
    bool ok = false;
    queue.Next(&tag, &ok);
    std::vector<grpc::Slice> slices;
    if (status.ok() && received.Dump(&slices).ok()) {
      for (const grpc::Slice& part : slices) reply.append(reinterpret_cast<const char*>(part.begin()), part.size());
    }
    return status;
  }
};

TEST_F(InferenceTest, MessagesAreRenderedByTheModelsTemplate) {
  GiveTemplate();
  Serve();
  auto request = Talk({{"developer", "Be brief."}, {"user", "Hi"}, {"assistant", "Yes?"}, {"user", "Why"}});
  request.set_choice(2);
  request.mutable_chat()->set_template_variables_json(R"({"loud": true})");
  const Generated generated = Generate(request);
  ASSERT_TRUE(generated.status.ok()) << generated.status.error_message();
  const std::vector<int32_t> expected =
      Encoded("system: Be brief.\nuser: Hi\nassistant: Yes?\nuser: Why\nLOUD assistant:");
  EXPECT_EQ(generated.prompt_ids, expected);
  EXPECT_EQ(generated.ids.size(), 3u);
  ASSERT_EQ(pipelines_.opened().size(), 1u);
  EXPECT_EQ(pipelines_.opened()[0].choice(), 2u);
}

TEST_F(InferenceTest, ToolsAreShownAndCallsOfThemAreToldFromText) {
  GiveTemplate();
  Serve();
  const auto tokenizer = Tokenizer();
  const auto answer_with = [&](const std::string& text) {
    // As a continuation, without the tokenizer's own space in front.
    std::vector<int32_t> ids = tokenizer->Encode("\n" + text, {});
    ids.erase(ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(tokenizer->Encode("\n", {}).size()));
    pipelines_.SetWholeAnswer(ids);
  };
  auto request = Talk({{"user", "Add."}});
  request.mutable_sampling()->set_max_tokens(200);
  enigma::v1::Tool* tool = request.mutable_chat()->add_tools();
  tool->set_name("add");
  tool->set_parameters_json(R"({"type": "object", "properties": {"a": {"type": "integer"}}})");
  answer_with(R"({"name": "add", "arguments": {"a": 4}})");
  std::vector<enigma::v1::ToolCallPiece> pieces;
  const auto ask = [&] {
    pieces.clear();
    grpc::ClientContext context;
    const auto stream = inference_->Generate(&context, request);
    Generated generated;
    enigma::v1::GenerateChunk chunk;
    while (stream->Read(&chunk)) {
      Append(chunk, generated);
      pieces.insert(pieces.end(), chunk.tool_calls().begin(), chunk.tool_calls().end());
    }
    generated.status = stream->Finish();
    EXPECT_TRUE(generated.status.ok()) << generated.status.error_message();
    return generated;
  };
  const Generated called = ask();
  EXPECT_EQ(called.finish_reason, "tool_calls");
  EXPECT_EQ(called.text, "");
  ASSERT_FALSE(pieces.empty());
  EXPECT_EQ(pieces[0].name(), "add");
  EXPECT_THAT(pieces[0].id(), ::testing::StartsWith("call_"));
  std::string arguments;
  for (const auto& piece : pieces) arguments += piece.arguments_json();
  EXPECT_EQ(arguments, R"({"a":4})");
  std::string prompt;
  for (const int32_t id : called.prompt_ids) prompt += tokenizer->TokenBytes(id, true);
  EXPECT_THAT(prompt, HasSubstr("add")) << "the model is told of the tool";
  answer_with("Four.");
  EXPECT_EQ(ask().text, "Four.");
  EXPECT_TRUE(pieces.empty());
  EXPECT_FALSE(pipelines_.opened().back().constrained());
  tool->set_strict(true);
  EXPECT_EQ(ask().text, "Four.");
  EXPECT_TRUE(pipelines_.opened().back().constrained()) << "a call in it would be held to the schema";
  tool->set_strict(false);
  request.mutable_chat()->set_tool_choice("add");
  ask();
  EXPECT_TRUE(pipelines_.opened().back().constrained()) << "held to it by a schema";
  request.mutable_chat()->set_tool_choice("subtract");
  EXPECT_THAT(Generate(request).status.error_message(), HasSubstr("no tool is called 'subtract'"));
  tool->set_parameters_json("{");
  EXPECT_THAT(Generate(request).status.error_message(), HasSubstr("tools[0].parameters_json"));
}

TEST_F(InferenceTest, WrongMessagesAreNamed) {
  GiveTemplate();
  Serve();
  const auto refused = [this](const enigma::v1::GenerateRequest& request) {
    const grpc::Status status = Generate(request).status;
    EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
    return status.error_message();
  };
  EXPECT_THAT(refused(Talk({})), HasSubstr("messages: "));
  EXPECT_THAT(refused(Talk({{"user", "Hi"}, {"king", "Hi"}})), HasSubstr("messages[1].role: "));
  auto request = Talk({{"tool", "4"}});
  EXPECT_THAT(refused(request), HasSubstr("messages[0].tool_call_id: "));
  EXPECT_THAT(refused(Talk({{"user", "hush"}})), HasSubstr("messages: ")) << "what the template itself refuses";
  EXPECT_THAT(refused(Talk({{"user", "hush"}})), HasSubstr("not of that"));
  request = Talk({{"user", "Hi"}});
  request.mutable_chat()->set_template_variables_json("[1]");
  EXPECT_THAT(refused(request), HasSubstr("template_variables_json"));
  EXPECT_TRUE(pipelines_.opened().empty());
}

TEST_F(InferenceTest, AModelSaysWhetherItHasATemplate) {
  StartCluster(1);
  ASSERT_TRUE(Import("plain").ok());
  GiveTemplate();
  enigma::v1::ListModelsReply reply;
  {
    grpc::ClientContext context;
    ASSERT_TRUE(inference_->ListModels(&context, {}, &reply).ok());
    ASSERT_EQ(reply.models_size(), 1);
    EXPECT_FALSE(reply.models(0).has_chat_template()) << "its file has changed since";
  }
  std::filesystem::copy_file(model_path_, folder_ + "/talker.gguf");
  model_path_ = folder_ + "/talker.gguf";
  ASSERT_TRUE(Import("talker").ok());
  ASSERT_TRUE(Load("talker", 1).ok());
  grpc::ClientContext context;
  ASSERT_TRUE(inference_->ListModels(&context, {}, &reply).ok());
  ASSERT_EQ(reply.models_size(), 2);
  const enigma::v1::ModelCard& talker = reply.models(1);
  EXPECT_EQ(talker.name(), "talker");
  EXPECT_TRUE(talker.ready());
  EXPECT_EQ(talker.context(), 512u);
  EXPECT_EQ(talker.hidden(), 64u);
  EXPECT_TRUE(talker.has_chat_template());
  EXPECT_THAT(reply.ready(), ElementsAre("talker"));
  EXPECT_THAT(reply.known(), ElementsAre("plain", "talker"));
}

TEST_F(InferenceTest, WithoutATemplateMessagesAreAnError) {
  Serve();
  const Generated generated = Generate(Talk({{"user", "Hi"}}));
  EXPECT_EQ(generated.status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(generated.status.error_message(), HasSubstr("no chat template"));
}

TEST_F(InferenceTest, ADeadlineIsAStatusOfItsOwnAndFreesTheSequence) {
  Serve();
  pipelines_.SetManner(FakePipelines::Manner::kHold);
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::milliseconds(300));
  const auto stream = inference_->Generate(&context, Ask("stories", "a", 100));
  enigma::v1::GenerateChunk chunk;
  while (stream->Read(&chunk)) EXPECT_EQ(chunk.finish_reason(), "");
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
  ASSERT_EQ(pipelines_.opened().size(), 1u);
  const uint64_t sequence = pipelines_.opened()[0].sequence();
  EXPECT_TRUE(Eventually([&] { return pipelines_.cancelled().contains(sequence); }));
  EXPECT_TRUE(Eventually([&] { return Replicas("stories").at(0).running() == 0; }));
}

// A client that forgets the deadline, or sets one that is as good as none, holds its place no longer than others may.
TEST_F(InferenceTest, NoRequestTakesLongerThanAnyMayWhateverItsDeadline) {
  Coordinator::Options options = Options();
  options.request_time_max = absl::Milliseconds(300);
  Serve(options);
  pipelines_.SetManner(FakePipelines::Manner::kHold);
  enigma::v1::EmbedRequest embed;
  embed.set_model("stories");
  embed.add_input()->set_text("a");
  for (const bool has_deadline : {false, true}) {
    for (const bool embeds : {false, true}) {
      grpc::ClientContext context;
      if (has_deadline) context.set_deadline(std::chrono::system_clock::now() + std::chrono::hours(2));
      auto ended = std::async(std::launch::async, [&] {
        enigma::v1::EmbedReply reply;
        if (embeds) return inference_->Embed(&context, embed, &reply);
        const auto stream = inference_->Generate(&context, Ask("stories", "a", 100));
        enigma::v1::GenerateChunk chunk;
        while (stream->Read(&chunk)) EXPECT_EQ(chunk.finish_reason(), "");
        return stream->Finish();
      });
      if (ended.wait_for(std::chrono::seconds(20)) != std::future_status::ready) context.TryCancel();
      const grpc::Status status = ended.get();
      EXPECT_EQ(status.error_code(), grpc::StatusCode::DEADLINE_EXCEEDED) << has_deadline << embeds;
      EXPECT_THAT(status.error_message(), HasSubstr("the deadline of the request passed"));
    }
  }
  const absl::Time asked = absl::Now();
  EXPECT_EQ(Post(port(), "/v1/completions", R"({"model": "stories", "prompt": "a"})").status, 504);
  EXPECT_EQ(Post(port(), "/v1/completions", R"({"model": "stories", "prompt": "a"})", {"x-request-timeout-ms: 7200000"})
                .status,
            504);
  EXPECT_LT(absl::Now() - asked, absl::Seconds(20));
  ASSERT_EQ(pipelines_.opened().size(), 6u);
  EXPECT_TRUE(Eventually([&] { return pipelines_.cancelled().size() == 6; }));
  EXPECT_TRUE(Eventually([&] { return Replicas("stories").at(0).running() == 0; }));
}

TEST_F(InferenceTest, WhatMayBeAskedAgainSaysWhen) {
  StartCluster(1);
  ASSERT_TRUE(Import("stories").ok());
  grpc::ClientContext context;
  const auto stream = inference_->Generate(&context, Ask("stories", "a", 1));
  enigma::v1::GenerateChunk chunk;
  EXPECT_FALSE(stream->Read(&chunk));
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  const auto wait = context.GetServerTrailingMetadata().find("retry-after-ms");
  ASSERT_NE(wait, context.GetServerTrailingMetadata().end());
  EXPECT_EQ(std::string(wait->second.data(), wait->second.size()), "5000") << "as the HTTP API's header";
  grpc::ClientContext other;
  enigma::v1::TokenizeReply reply;
  EXPECT_EQ(inference_->Tokenize(&other, {}, &reply).error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(other.GetServerTrailingMetadata().count("retry-after-ms"), 0u);
}

TEST_F(InferenceTest, HealthIsToldPerServiceAndReflectionListsThem) {
  StartCluster(0);
  // HealthCheckRequest{service = 1}, HealthCheckResponse{status = 1; SERVING = 1}.
  const auto health = [this](const std::string& service, std::string& reply) {
    std::string request = "\x0a";
    request += static_cast<char>(service.size());
    return CallRaw("/grpc.health.v1.Health/Check", service.empty() ? "" : request + service, reply);
  };
  for (const char* service : {"", "enigma.v1.Inference", "enigma.v1.Cluster", "enigma.v1.Membership"}) {
    std::string reply;
    const grpc::Status status = health(service, reply);
    EXPECT_TRUE(status.ok()) << service << ": " << status.error_message();
    EXPECT_EQ(reply, "\x08\x01") << service;
  }
  std::string reply;
  EXPECT_EQ(health("enigma.v1.Nothing", reply).error_code(), grpc::StatusCode::NOT_FOUND);
  // ServerReflectionRequest{list_services = 7: ""}; the names stand in the reply as they are.
  std::string services;
  const grpc::Status listed =
      CallRaw("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", std::string("\x3a\x00", 2), services);
  EXPECT_TRUE(listed.ok()) << listed.error_message();
  for (const char* service : {"enigma.v1.Inference", "enigma.v1.Cluster", "grpc.health.v1.Health"}) {
    EXPECT_THAT(services, HasSubstr(service));
  }
}

}  // namespace
}  // namespace enigma::coordinator::testing
