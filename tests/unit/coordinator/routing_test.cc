// Requests to the model "auto", and the specialists that answer them.
#include <cstdio>
#include <fstream>
#include <future>
#include <sstream>

#include <absl/strings/str_cat.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/coordinator/routing_fixture.h"

namespace enigma::coordinator::testing {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

TEST_F(RoutingTest, WordsChooseTheSpecialistWhichIsLoadedWhenItIsFirstAsked) {
  Begin();
  EXPECT_TRUE(Replicas("coder").empty());
  const HttpAnswer answer = Complete("write a Python function");
  EXPECT_EQ(Chosen(answer), "200 coder by keyword") << answer.body;
  EXPECT_EQ(Header(answer, "x-enigma-node"), "n0");
  EXPECT_EQ(Header(answer, "x-enigma-intent"), "") << "no router was asked";
  EXPECT_EQ(json::parse(answer.body)["model"], "coder");
  EXPECT_EQ(Replicas("coder").size(), 1u);
  EXPECT_TRUE(Replicas("summer").empty()) << "nobody has asked for it";
  EXPECT_EQ(Chosen(Complete("good morning")), "200 talker by default");
  EXPECT_EQ(Chosen(Complete("good morning", {}, "summer")), "503  by explicit") << "named, and not loaded";

  const std::string metrics = Get(port(), "/metrics").body;
  EXPECT_THAT(metrics, HasSubstr("enigma_route_total{method=\"keyword\",model_name=\"coder\",task=\"code\"} 1"));
  EXPECT_THAT(metrics, HasSubstr("enigma_route_seconds_count 2"));
  EXPECT_THAT(Get(port(), "/v1/models").body, HasSubstr("\"id\":\"auto\""));
  const json plain = {{"model", "auto"}, {"prompt", "python"}, {"max_gen", 2}};
  EXPECT_EQ(Chosen(Post(port(), "/generate", plain.dump())), "200 coder by keyword");
  EXPECT_EQ(Chosen(Chat({{{"role", "user"}, {"content", "3 plus 4"}}}, {{"stream", true}})), "200 summer by keyword");
}

TEST_F(RoutingTest, WithoutARegistryAutoIsAModelLikeAnyOther) {
  StartCluster(1);
  ASSERT_TRUE(Import("talker").ok());
  EXPECT_EQ(Complete("python").status, 404);
  EXPECT_THAT(Get(port(), "/v1/models").body, Not(HasSubstr("auto")));
  EXPECT_FALSE(Registry()["in_force"].get<bool>());
}

TEST_F(RoutingTest, TheRouterReadsTheTextAndIsBelievedWhereItIsSure) {
  BeginWithRouter();
  pipelines_.SetLabels({0.1, 0.85, 0.05});
  const HttpAnswer sure = Complete("how much is it in python");
  EXPECT_EQ(Chosen(sure), "200 summer by model") << sure.body;
  EXPECT_EQ(Header(sure, "x-enigma-intent"), "math");
  EXPECT_EQ(Header(sure, "x-enigma-confidence"), "0.8500");
  const enigma::v1::OpenSequence question = pipelines_.opened()[0];
  EXPECT_THAT(question.labels().tokens(), ElementsAre(300, 301, 302));
  EXPECT_EQ(question.labels().temperature(), 2);
  const auto expected = Tokenizer()->Encode("Q: how much is it in python\nA: [E:tool]", {.add_special = true});
  EXPECT_EQ(std::vector<int32_t>(question.prompt().begin(), question.prompt().end()), expected);

  pipelines_.SetLabels({0.3, 0.4, 0.3});
  const HttpAnswer unsure = Complete("how much is it in python");
  EXPECT_EQ(Chosen(unsure), "200 coder by keyword");
  EXPECT_EQ(Header(unsure, "x-enigma-intent"), "math") << "what it leaned to";
  EXPECT_EQ(Header(unsure, "x-enigma-confidence"), "0.4000");

  enigma::v1::ClassifyRequest request;
  request.set_text("anything");
  enigma::v1::ClassifyReply reply;
  grpc::ClientContext context;
  ASSERT_TRUE(inference_->Classify(&context, request, &reply).ok());
  ASSERT_EQ(reply.labels_size(), 3);
  EXPECT_EQ(reply.labels(0).label(), "math") << "the likeliest first";
  EXPECT_EQ(reply.labels(1).label(), "code") << "equal ones in their own order";
  EXPECT_EQ(reply.model(), "nano");
  EXPECT_THAT(reply.nodes(), ElementsAre("n0"));
  EXPECT_EQ(reply.route().method(), "default");
  EXPECT_EQ(reply.route().model(), "talker");
  EXPECT_THAT(reply.route().why(), HasSubstr("below 0.50"));

  request.set_model("coder");
  grpc::ClientContext other;
  EXPECT_EQ(inference_->Classify(&other, request, &reply).error_code(), grpc::StatusCode::INVALID_ARGUMENT);

  pipelines_.SetLabels({});  // a worker that does not know of labels
  EXPECT_EQ(Chosen(Complete("python")), "200 coder by keyword") << "the router fails, and words decide";
}

TEST_F(RoutingTest, AConversationStaysWithTheModelThatBeganIt) {
  Begin();
  json messages = {{{"role", "user"}, {"content", "sort a list in python"}}};
  EXPECT_EQ(Chosen(Chat(messages)), "200 coder by keyword");
  messages.push_back({{"role", "assistant"}, {"content", "here it is"}});
  messages.push_back({{"role", "user"}, {"content", "and the sum of it"}});
  EXPECT_EQ(Chosen(Chat(messages)), "200 coder by sticky");
  messages.push_back({{"role", "assistant"}, {"content", "that too"}});
  messages.push_back({{"role", "user"}, {"content", "thanks"}});
  EXPECT_EQ(Chosen(Chat(messages)), "200 coder by sticky");
  messages[0]["content"] = "another beginning";
  EXPECT_EQ(Chosen(Chat(messages)), "200 talker by default");
}

TEST_F(RoutingTest, TheClientMayForceForbidOrBeRefused) {
  Begin();
  EXPECT_EQ(Chosen(Complete("python", {"x-enigma-task: math"})), "200 summer by explicit");
  EXPECT_EQ(Chosen(Complete("python", {"x-enigma-route: off"})), "200 talker by default");
  const HttpAnswer unknown = Complete("python", {"x-enigma-task: maths"});
  EXPECT_EQ(unknown.status, 400);
  EXPECT_THAT(Message(unknown), HasSubstr("there is no task 'maths'; there are code, math, chat"));
  EXPECT_EQ(Complete("python", {"x-enigma-route: perhaps"}).status, 400);
  EXPECT_EQ(Complete("python", {"x-enigma-task: math"}, "talker").status, 400) << "it names a model, too";
  const json ids = {{"model", "auto"}, {"prompt", {1, 2, 3}}, {"max_tokens", 1}};
  const HttpAnswer of_ids = Post(port(), "/v1/completions", ids.dump());
  EXPECT_EQ(of_ids.status, 400);
  EXPECT_THAT(Message(of_ids), HasSubstr("token ids are those of one model"));
}

TEST_F(RoutingTest, AnotherModelIsTriedAfterAReplicaGaveUpBeforeTheFirstToken) {
  Begin();
  ASSERT_TRUE(Load("talker", 1).ok());
  for (const bool stream : {false, true}) {
    pipelines_.ForgetRequests();
    pipelines_.SetManner(FakePipelines::Manner::kSilent);
    auto answer = std::async(std::launch::async, [&] {
      return Chat({{{"role", "user"}, {"content", "python"}}}, {{"stream", stream}});
    });
    ASSERT_TRUE(Eventually([&] { return pipelines_.opened().size() == 1; }));
    pipelines_.SetManner(FakePipelines::Manner::kAnswer);
    workers_[0]->GiveUp(pipelines_.opened()[0].sequence(), "the stage broke");
    const HttpAnswer got = answer.get();
    EXPECT_EQ(Chosen(got), "200 talker by keyword") << got.body;
    EXPECT_EQ(pipelines_.opened().size(), 2u);
    ASSERT_TRUE(Unload("coder").ok());
    // It is loaded anew for the next round.
  }
}

TEST_F(RoutingTest, AfterTheFirstTokenAnErrorIsAnError) {
  Begin();
  ASSERT_TRUE(Load("talker", 1).ok());
  ASSERT_TRUE(Load("coder", 1).ok());
  pipelines_.SetManner(FakePipelines::Manner::kHold);
  auto answer = std::async(std::launch::async, [&] {
    return Chat({{{"role", "user"}, {"content", "python"}}}, {{"stream", true}});
  });
  ASSERT_TRUE(Eventually([&] {
    return Get(port(), "/metrics").body.find("generation_tokens_total{model_name=\"coder\"} 1") != std::string::npos;
  }));
  workers_[0]->GiveUp(pipelines_.opened()[0].sequence(), "the stage broke");
  const HttpAnswer got = answer.get();
  EXPECT_EQ(Chosen(got), "200 coder by keyword");
  EXPECT_THAT(got.body, HasSubstr("the stage broke"));
  EXPECT_THAT(got.body, Not(HasSubstr("[DONE]")));
  EXPECT_EQ(pipelines_.opened().size(), 1u);
}

TEST_F(RoutingTest, AChangedFileIsInForceSoonAndAWrongOneChangesNothing) {
  Begin();
  EXPECT_EQ(Chosen(Complete("a poem")), "200 talker by default");
  std::string changed(kRegistry);
  changed.replace(changed.find("plus"), 4, "poem");
  Write(changed);
  ASSERT_TRUE(Eventually([&] { return Registry()["tasks"][1]["keywords"][1] == "poem"; })) << Registry();
  EXPECT_EQ(Chosen(Complete("a poem")), "200 summer by keyword");
  Write("default: chat\ntasks: {chat: {modal: talker}}\n");
  ASSERT_TRUE(Eventually([&] { return !Registry()["fault"].is_null(); }));
  EXPECT_THAT(Registry()["fault"].get<std::string>(), HasSubstr("specialists.yaml:2: tasks.chat.modal"));
  EXPECT_EQ(Chosen(Complete("a poem")), "200 summer by keyword");
  Write(kRegistry);
  ASSERT_TRUE(Eventually([&] { return Registry()["fault"].is_null(); }));
  EXPECT_EQ(Chosen(Complete("a poem")), "200 talker by default");
}

TEST_F(RoutingTest, AModelThatIsMissingIsWaitedForAndOtherMistakesAreToldAtOnce) {
  Write(kRegistry);
  StartCoordinator(WithFile());
  StartWorkers(1);
  const HttpAnswer early = Complete("python");
  EXPECT_EQ(early.status, 503);
  EXPECT_THAT(Message(early), HasSubstr("specialists.yaml:3: tasks.code.model: no model is called 'coder'"));
  ImportSpecialists();
  ASSERT_TRUE(Eventually([&] { return Registry()["in_force"].get<bool>(); }));
  EXPECT_EQ(Chosen(Complete("python")), "200 coder by keyword");

  Coordinator::Options other = WithFile();
  other.data_dir = folder_ + "/other";
  other.specialists_file = folder_ + "/absent.yaml";
  EXPECT_FALSE(Coordinator::Create(other).ok());
  other.specialists_file = file_;
  Write("default: nobody\ntasks: {chat: {model: talker}}\n");
  EXPECT_THAT(std::string(Coordinator::Create(other).status().message()), HasSubstr("there is no task 'nobody'"));
}

TEST_F(RoutingTest, TheRegistryIsReplacedByWhoAdministersAndKeptInItsFile) {
  Begin();
  const std::string next = "tasks: {only: {model: summer}}\n";
  EXPECT_EQ(Send(port(), "PUT", "/api/specialists", next).status, 405) << "pages and keys change nothing";
  enigma::v1::SpecialistsReply reply;
  const grpc::Status replaced = Replace(next, reply);
  ASSERT_TRUE(replaced.ok()) << replaced.error_message();
  ASSERT_EQ(reply.tasks_size(), 1);
  EXPECT_EQ(reply.tasks(0).model(), "summer");
  EXPECT_EQ(reply.text(), next);
  EXPECT_EQ(Chosen(Complete("python")), "200 summer by default");
  std::ostringstream kept;
  kept << std::ifstream(file_).rdbuf();
  EXPECT_EQ(kept.str(), next);
  const grpc::Status wrong = Replace("tasks:\n  only: {model: absent}\n", reply);
  EXPECT_EQ(wrong.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(wrong.error_message(), HasSubstr("body:2: tasks.only.model: no model is called 'absent'"));
  EXPECT_EQ(Chosen(Complete("python")), "200 summer by default");
  grpc::ClientContext context;
  ASSERT_TRUE(cluster_->ShowSpecialists(&context, {}, &reply).ok());
  EXPECT_TRUE(reply.in_force());
  EXPECT_EQ(reply.fault(), "") << "what was refused was never given";
  std::ostringstream audit;
  audit << std::ifstream(folder_ + "/data/audit.log").rdbuf();
  EXPECT_THAT(audit.str(), HasSubstr("specialists.replace"));
}

TEST_F(RoutingTest, OverGrpcTheMetadataSayWhoAnsweredAndWhy) {
  Begin();
  ASSERT_TRUE(Load("talker", 1).ok());
  Pairs said;
  const Generated generated = AskOverGrpc("python", {}, said);
  ASSERT_TRUE(generated.status.ok()) << generated.status.error_message();
  EXPECT_EQ(generated.ids.size(), 3u);
  EXPECT_EQ(Said(said, "x-enigma-model"), "coder");
  EXPECT_EQ(Said(said, "x-enigma-node"), "n0");
  EXPECT_EQ(Said(said, "x-enigma-route-method"), "keyword");
  EXPECT_TRUE(AskOverGrpc("python", {{"x-enigma-task", "chat"}}, said).status.ok());
  EXPECT_EQ(Said(said, "x-enigma-model"), "talker");
  EXPECT_EQ(Said(said, "x-enigma-route-method"), "explicit");
  EXPECT_TRUE(AskOverGrpc("python", {{"x-enigma-route", "off"}}, said).status.ok());
  EXPECT_EQ(Said(said, "x-enigma-model"), "talker");
  EXPECT_EQ(Said(said, "x-enigma-route-method"), "default");
  const auto code_of = [&](const Pairs& sent) { return AskOverGrpc("python", sent, said).status.error_code(); };
  EXPECT_EQ(code_of({{"x-enigma-route", "perhaps"}}), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(code_of({{"x-enigma-task", "none"}}), grpc::StatusCode::INVALID_ARGUMENT);

  enigma::v1::ListModelsReply models;
  grpc::ClientContext context;
  ASSERT_TRUE(inference_->ListModels(&context, {}, &models).ok());
  EXPECT_THAT(models.known(), ::testing::Contains("auto"));
}

TEST_F(RoutingTest, OverGrpcAnotherModelIsTriedWhichCountsAsAnotherRequest) {
  Begin();
  ASSERT_TRUE(Load("talker", 1).ok());
  ASSERT_TRUE(Load("coder", 1).ok());  // last, so that the worker gives up what comes to this one
  const std::string twice = Key("twice", {}, 2);
  const std::string once = Key("once", {}, 1);
  const auto ask = [&](const std::string& secret, Pairs& said) {
    pipelines_.ForgetRequests();
    pipelines_.SetManner(FakePipelines::Manner::kSilent);
    auto answer = std::async(std::launch::async, [&] {
      return AskOverGrpc("python", {{"authorization", "Bearer " + secret}}, said);
    });
    EXPECT_TRUE(Eventually([&] { return pipelines_.opened().size() == 1; }));
    pipelines_.SetManner(FakePipelines::Manner::kAnswer);
    workers_[0]->GiveUp(pipelines_.opened()[0].sequence(), "the stage broke");
    return answer.get();
  };
  Pairs said;
  const Generated other = ask(twice, said);
  EXPECT_TRUE(other.status.ok()) << other.status.error_message();
  EXPECT_EQ(other.ids.size(), 3u);
  EXPECT_EQ(Said(said, "x-enigma-model"), "talker");
  const Generated refused = ask(once, said);
  EXPECT_EQ(refused.status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED) << refused.status.error_message();
  EXPECT_EQ(Said(said, "x-enigma-route-method"), "keyword") << "a request that fails says how it was routed, too";
  EXPECT_EQ(pipelines_.opened().size(), 1u);
}

TEST_F(RoutingTest, AKeyIsRoutedToTheModelsThatItMayUse) {
  Begin();
  const std::string secret = Key("of math", {"summer"});
  const std::string header = absl::StrCat("Authorization: Bearer ", secret);
  EXPECT_EQ(Chosen(Complete("plus", {header})), "200 summer by keyword");
  EXPECT_EQ(Complete("python", {header}).status, 403);
  const json seen = json::parse(GetWith("/api/specialists", secret).body);
  ASSERT_EQ(seen.at("tasks").size(), 1u) << seen;
  EXPECT_EQ(seen.at("tasks")[0].at("model"), "summer");
  for (const char* hidden : {"text", "file", "fault"}) EXPECT_FALSE(seen.contains(hidden)) << hidden;
  EXPECT_FALSE(seen.at("tasks")[0].contains("nodes"));
}

// Where "auto" is not routed it is a model's name, which the key may not use.
TEST_F(RoutingTest, AKeyOfSomeModelsIsNotLetPastItsListByTheName) {
  Begin();
  const std::string header = absl::StrCat("Authorization: Bearer ", Key("of math", {"summer"}));
  const json embed = {{"model", "auto"}, {"input", "text"}};
  EXPECT_EQ(Post(port(), "/v1/embeddings", embed.dump(), {header}).status, 403);
  const json tokenize = {{"model", "auto"}, {"prompt", "text"}};
  EXPECT_EQ(Post(port(), "/tokenize", tokenize.dump(), {header}).status, 403);
  EXPECT_EQ(Import("auto").error_code(), grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(RoutingTest, AKeyHearsNothingOfARegistryThatIsWrong) {
  Write(kRegistry);
  StartCoordinator(WithFile());
  StartWorkers(1);
  const HttpAnswer early = Complete("python", {absl::StrCat("Authorization: Bearer ", Key("any", {}))});
  EXPECT_EQ(early.status, 503);
  EXPECT_THAT(Message(early), HasSubstr("its specialists are not in force"));
  EXPECT_THAT(Message(early), Not(HasSubstr("coder")));
}

TEST_F(RoutingTest, LabelsAreForThoseWhoMayUseTheRouter) {
  BeginWithRouter();
  pipelines_.SetLabels({0.1, 0.85, 0.05});
  const auto classify = [&](const std::string& secret, const std::string& model, enigma::v1::ClassifyReply& reply) {
    grpc::ClientContext context;
    context.AddMetadata("authorization", "Bearer " + secret);
    enigma::v1::ClassifyRequest request;
    request.set_model(model);
    request.set_text("anything");
    return inference_->Classify(&context, request, &reply).error_code();
  };
  enigma::v1::ClassifyReply reply;
  const std::string of_math = Key("of math", {"summer"});
  EXPECT_EQ(classify(of_math, "auto", reply), grpc::StatusCode::OK);
  EXPECT_EQ(reply.route().model(), "summer");
  EXPECT_THAT(reply.labels(), IsEmpty());
  EXPECT_EQ(classify(of_math, "nano", reply), grpc::StatusCode::PERMISSION_DENIED);
  EXPECT_EQ(classify(Key("of both", {"summer", "nano"}), "auto", reply), grpc::StatusCode::OK);
  EXPECT_EQ(reply.labels_size(), 3);
  EXPECT_THAT(Get(port(), "/metrics").body, Not(HasSubstr("enigma_route_total{"))) << "nothing was routed";
}

TEST_F(RoutingTest, ARouterThatIsTooSlowIsNotWaitedForAgainAndAgain) {
  Write(absl::StrCat("router: {model: nano}\n", kRegistry));
  Coordinator::Options options = WithFile();
  options.router_patience = absl::Milliseconds(50);
  options.router_pause = absl::Hours(1);
  StartCoordinator(options);
  StartWorkers(1);
  ImportSpecialists();
  ImportRouter();
  ASSERT_TRUE(Eventually([&] { return Registry()["fault"].is_null(); })) << Registry();
  pipelines_.HoldLabels(true);
  const auto questions = [&] {
    size_t count = 0;
    for (const enigma::v1::OpenSequence& open : pipelines_.opened()) count += open.has_labels() ? 1 : 0;
    return count;
  };
  EXPECT_EQ(Chosen(Complete("python")), "200 coder by keyword");
  EXPECT_EQ(questions(), 1u);
  pipelines_.HoldLabels(false);
  EXPECT_EQ(Chosen(Complete("python")), "200 coder by keyword");
  EXPECT_EQ(questions(), 1u) << "it was too slow a moment ago";
}

TEST_F(RoutingTest, WhatNeedsNoRouterDoesNotWaitBehindWhatDoes) {
  BeginWithRouter();
  pipelines_.SetLabels({0.1, 0.85, 0.05});
  pipelines_.HoldLabels(true);
  std::vector<std::future<HttpAnswer>> asking;
  for (int i = 0; i < 6; ++i) asking.push_back(std::async(std::launch::async, [&] { return Complete("python"); }));
  ASSERT_TRUE(Eventually([&] { return pipelines_.opened().size() == 4; })) << "as many as may wait";
  EXPECT_EQ(Chosen(Complete("python", {"x-enigma-task: chat"})), "200 talker by explicit");
  EXPECT_EQ(Chosen(Complete("python", {"x-enigma-route: off"})), "200 talker by default");
  Pairs said;
  EXPECT_TRUE(AskOverGrpc("python", {{"x-enigma-task", "math"}}, said).status.ok());
  EXPECT_EQ(Said(said, "x-enigma-model"), "summer");
  pipelines_.HoldLabels(false);
  for (std::future<HttpAnswer>& answer : asking) EXPECT_EQ(Chosen(answer.get()), "200 summer by model");
  const std::string metrics = Get(port(), "/metrics").body;
  EXPECT_THAT(metrics, HasSubstr("enigma_route_intent_total{intent=\"math\"} 6"));
  EXPECT_THAT(metrics, HasSubstr("enigma_route_confidence_count 6"));
}

TEST_F(RoutingTest, ToolsReachAModelWhoseTemplateHasAPlaceForThem) {
  const std::string path = folder_ + "/tools.gguf";
  enigma::testing::EditModel(model_path_, path, [](enigma::testing::EditableModel& model) {
    model.metadata.Set("tokenizer.chat_template",
                       std::string("{% if tools %}TOOLS{% for t in tools %}{{ t | tojson }}{% endfor %}\n{% endif %}"
                                   "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}"));
  });
  Write(kRegistry);
  StartCoordinator(WithFile());
  StartWorkers(1);
  for (const char* name : {"coder", "talker"}) ASSERT_TRUE(Import(name).ok());
  ASSERT_TRUE(ImportFile(path, "summer").ok());
  ASSERT_TRUE(Eventually([&] { return Registry()["fault"].is_null(); })) << Registry();
  const json tool = {
      {"type", "function"},
      {"function", {{"name", "f"}, {"parameters", {{"type", "object"}, {"properties", json::object()}}}}}};
  const json messages = {{{"role", "user"}, {"content", "python"}}};
  EXPECT_EQ(Chosen(Chat(messages, {{"tools", {tool}}})), "200 summer by capability");
  EXPECT_EQ(Chosen(Chat(messages)), "200 coder by keyword");
}

TEST_F(RoutingTest, ItIsReadyWhenSpecialistsCanBeLoaded) {
  Write(kRegistry);
  StartCoordinator(WithFile());
  EXPECT_EQ(Get(port(), "/health/ready").status, 503);
  ImportSpecialists();
  ASSERT_TRUE(Eventually([&] { return Registry()["in_force"].get<bool>(); }));
  EXPECT_EQ(Get(port(), "/health/ready").status, 503) << "there is no node";
  StartWorkers(1);
  EXPECT_EQ(Get(port(), "/health/ready").status, 200);
}

TEST_F(RoutingTest, TheCoordinatorStartsWhileTheRoutersFileIsAway) {
  BeginWithRouter();
  workers_.clear();
  coordinator_.reset();
  std::filesystem::rename(folder_ + "/nano.gguf", folder_ + "/away.gguf");
  StartCoordinator(WithFile());
  EXPECT_FALSE(Registry()["in_force"].get<bool>());
  std::filesystem::rename(folder_ + "/away.gguf", folder_ + "/nano.gguf");
  EXPECT_TRUE(Eventually([&] { return Registry()["in_force"].get<bool>(); })) << Registry();
}

}  // namespace
}  // namespace enigma::coordinator::testing
