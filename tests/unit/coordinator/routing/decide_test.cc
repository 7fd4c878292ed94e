#include "coordinator/routing/decide.h"

#include <map>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/coordinator/routing/small_registry.h"

namespace enigma::coordinator {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class DecideTest : public ::testing::Test {
 protected:
  void SetUp() override { Use(kSmallRegistry); }
  void Use(std::string_view yaml) {
    auto table = ReadSmall(yaml);
    ASSERT_TRUE(table.ok()) << table.status();
    table_ = *std::move(table);
  }
  absl::StatusOr<Decision> Ask(const std::optional<RouterVerdict>& verdict = std::nullopt) {
    ModelView models;
    models.abilities = [this](const std::string& model) -> std::optional<ModelAbilities> {
      const auto found = models_.find(model);
      if (found == models_.end()) return std::nullopt;
      return found->second;
    };
    models.prompt_tokens = [this](const std::string&) { return prompt_tokens_; };
    return Decide(table_->specialists, table_->keywords, request_, verdict, "", models);
  }
  Decision Decided(const std::optional<RouterVerdict>& verdict = std::nullopt) {
    const auto decision = Ask(verdict);
    EXPECT_TRUE(decision.ok()) << decision.status();
    return decision.value_or(Decision());
  }

  RoutingTablePtr table_;
  RequestFeatures request_{.text = "hello"};
  uint64_t prompt_tokens_ = 0;
  std::map<std::string, ModelAbilities> models_ = {
      {"coder", {.context = 1000}}, {"summer", {.context = 100}}, {"talker", {.context = 500, .tools = true}}};
};

TEST_F(DecideTest, ASureRouterDecides) {
  const Decision decision = Decided(RouterVerdict{"code", 0.9, 0.5});
  EXPECT_EQ(decision.task, "code");
  EXPECT_EQ(decision.model, "coder");
  EXPECT_THAT(decision.fallback, ElementsAre("talker"));
  EXPECT_EQ(decision.method, RouteMethod::kModel);
  EXPECT_EQ(decision.intent, "code");
  EXPECT_EQ(decision.confidence, 0.9);
  EXPECT_THAT(decision.why, HasSubstr("0.90"));
}

TEST_F(DecideTest, AModelForPicturesAloneGivesWayWhereThereIsNone) {
  models_["coder"] = {.context = 1000, .images = true, .text = false};
  const Decision decision = Decided(RouterVerdict{"code", 0.9, 0.5});
  EXPECT_EQ(decision.model, "talker");
  EXPECT_EQ(decision.method, RouteMethod::kCapability);
  EXPECT_EQ(decision.intent, "code");
  EXPECT_THAT(decision.why, HasSubstr("'coder' answers about pictures alone, and none was sent"));
  request_.has_image = true;
  EXPECT_EQ(Decided().model, "coder");
}

TEST_F(DecideTest, AnIntentThatNoTaskClaimsGoesToTheDefault) {
  const Decision decision = Decided(RouterVerdict{"search", 0.99, 0.5});
  EXPECT_EQ(decision.task, "chat");
  EXPECT_EQ(decision.method, RouteMethod::kModel);
  EXPECT_EQ(decision.intent, "search");
}

TEST_F(DecideTest, AnUnsureRouterLeavesItToKeywords) {
  request_.text = "a python question";
  const Decision decision = Decided(RouterVerdict{"math", 0.59, 0.1});
  EXPECT_EQ(decision.task, "code") << "the registry's threshold of 0.6 stands above the router's own";
  EXPECT_EQ(decision.method, RouteMethod::kKeyword);
  EXPECT_EQ(decision.intent, "math");
  EXPECT_THAT(decision.why, HasSubstr("below 0.60"));
  EXPECT_THAT(decision.why, HasSubstr("python"));
  EXPECT_EQ(Decided(RouterVerdict{"math", 0.6, 0.1}).task, "math");
}

TEST_F(DecideTest, TheRoutersOwnThresholdCountsWhereTheRegistryHasNone) {
  Use("default: chat\nrouter: {model: nano}\ntasks: {chat: {model: talker}, code: {model: coder, intents: [code]}}");
  EXPECT_EQ(Decided(RouterVerdict{"code", 0.3, 0.3}).method, RouteMethod::kModel);
  EXPECT_EQ(Decided(RouterVerdict{"code", 0.3, 0.31}).method, RouteMethod::kDefault);
}

TEST_F(DecideTest, WithoutARouterKeywordsDecideAndThenTheDefault) {
  request_.text = "what is 3 plus 4";
  EXPECT_EQ(Decided().task, "math");
  EXPECT_EQ(Decided().intent, "");
  request_.text = "good morning";
  EXPECT_EQ(Decided().task, "chat");
  EXPECT_EQ(Decided().method, RouteMethod::kDefault);
}

TEST_F(DecideTest, TheClientMayForceATaskOrForbidRouting) {
  request_.text = "python";
  request_.forced_task = "math";
  EXPECT_FALSE(WantsVerdict(table_->specialists, request_));
  EXPECT_EQ(Decided().model, "summer");
  EXPECT_EQ(Decided().method, RouteMethod::kExplicit);
  request_.forced_task = "maths";
  EXPECT_EQ(Ask().status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(Ask().status().message()), HasSubstr("there are code, math, chat"));
  request_.forced_task = "";
  request_.may_route = false;
  EXPECT_FALSE(WantsVerdict(table_->specialists, request_));
  EXPECT_EQ(Decided().task, "chat");
  EXPECT_EQ(Decided().method, RouteMethod::kDefault);
}

TEST_F(DecideTest, AConversationStaysWithItsModel) {
  request_.text = "python";
  request_.earlier = EarlierAnswer{"math", "summer"};
  EXPECT_FALSE(WantsVerdict(table_->specialists, request_));
  EXPECT_EQ(Decided().model, "summer");
  EXPECT_EQ(Decided().method, RouteMethod::kSticky);
  // The fallback answered before; the task's own model now stands behind it.
  request_.earlier = EarlierAnswer{"code", "talker"};
  EXPECT_EQ(Decided().model, "talker");
  EXPECT_THAT(Decided().fallback, ElementsAre("coder"));
  // The registry has changed since.
  request_.earlier = EarlierAnswer{"math", "other"};
  EXPECT_TRUE(WantsVerdict(table_->specialists, request_));
  EXPECT_EQ(Decided().method, RouteMethod::kKeyword);
}

TEST_F(DecideTest, AnImageGoesToVisionOrNowhere) {
  request_.has_image = true;
  request_.earlier = EarlierAnswer{"math", "summer"};
  EXPECT_EQ(Ask().status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(Ask().status().message()), HasSubstr("no specialist here takes images"));
  Use("default: chat\ntasks: {chat: {model: talker}, vision: {model: seer}}");
  EXPECT_EQ(Decided().model, "seer");
  EXPECT_EQ(Decided().method, RouteMethod::kCapability);
  Use("default: chat\ntasks: {chat: {model: talker}, eyes: {model: seer, intents: [vision]}}");
  EXPECT_EQ(Decided().task, "eyes");
  models_["talker"].images = true;
  EXPECT_EQ(Decided().task, "chat") << "its model takes images, and that of the task for them does not";
  models_["seer"].images = true;
  EXPECT_EQ(Decided().task, "eyes");
  Use("default: chat\ntasks: {chat: {model: talker}, vision: {model: seer, fallback: [coder, talker]}}");
  EXPECT_THAT(Decided().fallback, ElementsAre("talker")) << "a fallback that takes none is left out";
}

TEST_F(DecideTest, AnImageGoesToAModelThatTheCallerMayUse) {
  request_.has_image = true;
  for (const char* model : {"seer", "talker", "coder"}) models_[model].images = true;
  models_["seer"].allowed = false;
  models_["talker"].allowed = false;
  Use("default: chat\ntasks: {chat: {model: talker}, code: {model: coder}, vision: {model: seer}}");
  EXPECT_EQ(Decided().task, "code");
  Use("default: chat\ntasks: {chat: {model: coder}, vision: {model: seer, fallback: [talker, coder]}}");
  EXPECT_EQ(Decided().task, "vision") << "a fallback of it may be used";
  Use("default: chat\ntasks: {chat: {model: talker}, vision: {model: seer, fallback: [talker]}}");
  EXPECT_EQ(Decided().task, "vision") << "none may be, which is to be said of the one that takes images";
  models_["seer"].images = false;
  EXPECT_EQ(Decided().task, "chat");
}

TEST_F(DecideTest, ToolsGoToAModelWithAPlaceForThem) {
  request_.text = "python";
  request_.wants_tools = true;
  const Decision decision = Decided();
  EXPECT_EQ(decision.task, "chat");
  EXPECT_EQ(decision.method, RouteMethod::kCapability);
  EXPECT_THAT(decision.why, HasSubstr("'coder' has no place for tools"));
  models_["talker"].tools = false;
  EXPECT_EQ(Decided().task, "code") << "nobody can, so that they are described to the one that was chosen";
  EXPECT_EQ(Decided().method, RouteMethod::kKeyword);
}

TEST_F(DecideTest, ALongPromptGoesToAModelThatHoldsIt) {
  request_.text = "plus";
  request_.prompt_bytes = 10;
  prompt_tokens_ = 1'000'000;  // not asked: ten bytes fit everywhere
  EXPECT_EQ(Decided().task, "math");
  request_.prompt_bytes = 2000;
  prompt_tokens_ = 99;
  EXPECT_EQ(Decided().task, "math") << "counted, it fits";
  prompt_tokens_ = 100;
  EXPECT_EQ(Decided().task, "chat") << "the default's model first";
  prompt_tokens_ = 600;
  EXPECT_EQ(Decided().task, "code");
  EXPECT_THAT(Decided().fallback, IsEmpty()) << "the fallback holds only 500";
  prompt_tokens_ = 5000;
  EXPECT_EQ(Decided().task, "math") << "nobody: the error is to name the model that was chosen";
}

TEST_F(DecideTest, AModelThatIsGoneKeepsItsFallbacks) {
  request_.text = "python";
  models_.erase("coder");
  EXPECT_EQ(Decided().model, "coder");
  EXPECT_THAT(Decided().fallback, ElementsAre("talker"));
  models_.erase("talker");
  EXPECT_THAT(Decided().fallback, IsEmpty());
}

}  // namespace
}  // namespace enigma::coordinator
