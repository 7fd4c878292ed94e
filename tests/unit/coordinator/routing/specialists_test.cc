#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/coordinator/routing/small_registry.h"

namespace enigma::coordinator {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(Specialists, AreReadAsTheyStandInTheFile) {
  const auto table = ReadSmall();
  ASSERT_TRUE(table.ok()) << table.status();
  const Specialists& read = (*table)->specialists;
  EXPECT_EQ(read.DefaultTask().name, "chat");
  EXPECT_EQ(read.threshold, 0.6);
  EXPECT_EQ(read.router, "nano");
  EXPECT_THAT(read.router_nodes, ElementsAre("n0"));
  ASSERT_EQ(read.tasks.size(), 3u);
  EXPECT_EQ(read.tasks[0].name, "code");
  EXPECT_EQ(read.tasks[0].model, "coder");
  EXPECT_THAT(read.tasks[0].keywords, ElementsAre("python", "function", "stack trace", "c++"));
  EXPECT_THAT(read.tasks[0].fallback, ElementsAre("talker"));
  EXPECT_EQ(read.TaskOfIntent("none")->name, "chat");
  EXPECT_EQ(read.TaskOfIntent("search"), nullptr) << "an intent that no task claims";
  EXPECT_EQ(read.FirstTaskOfModel("talker")->name, "chat") << "its own before one that it stands in for";
}

TEST(Specialists, AreReadFromJsonToo) {
  const auto read = ReadSpecialists(R"({"tasks": {"chat": {"model": "talker", "keywords": ["hi"]}}})", "s", ThatKnow());
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->DefaultTask().name, "chat") << "the only one";
  EXPECT_FALSE(read->threshold.has_value());
}

std::vector<std::string> Names(const Specialists& specialists) {
  std::vector<std::string> names;
  for (const Task& task : specialists.tasks) names.push_back(task.name + "=" + task.model);
  return names;
}

// kSmallRegistry, where there are only these models.
absl::StatusOr<Specialists> SmallWithOnly(std::vector<std::string> models, std::vector<std::string>& told) {
  auto all = ReadSpecialists(kSmallRegistry, "s.yaml", KnownModels());
  EXPECT_TRUE(all.ok()) << all.status();
  return all.ok() ? WithoutMissing(*std::move(all), ThatKnow(std::move(models)), told) : all;
}

TEST(Specialists, MakeDoWithTheModelsThatAreThere) {
  std::vector<std::string> told;
  const auto whole = SmallWithOnly({"nano", "coder", "summer", "talker"}, told);
  ASSERT_TRUE(whole.ok()) << whole.status();
  EXPECT_THAT(Names(*whole), ElementsAre("code=coder", "math=summer", "chat=talker"));
  EXPECT_EQ(whole->router, "nano");
  EXPECT_THAT(told, ElementsAre());

  const auto part = SmallWithOnly({"nano", "talker"}, told);
  ASSERT_TRUE(part.ok()) << part.status();
  EXPECT_THAT(Names(*part), ElementsAre("code=talker", "chat=talker"));
  EXPECT_THAT(part->tasks[0].fallback, ElementsAre());
  EXPECT_EQ(part->DefaultTask().name, "chat");
  EXPECT_EQ(part->TaskOfIntent("math"), nullptr);
  EXPECT_THAT(told, ElementsAre("'talker' does task 'code': there is no model 'coder'",
                                "task 'math' is left out: there is no model 'summer'"));
}

TEST(Specialists, GetAnotherDefaultAndDoWithoutARouter) {
  std::vector<std::string> told;
  auto all = ReadSpecialists(kSmallRegistry, "s.yaml", KnownModels());
  ASSERT_TRUE(all.ok()) << all.status();
  all->router = "summer";
  const auto part = WithoutMissing(*all, ThatKnow({"summer"}), told);
  ASSERT_TRUE(part.ok()) << part.status();
  EXPECT_THAT(Names(*part), ElementsAre("math=summer"));
  EXPECT_EQ(part->DefaultTask().name, "math");
  EXPECT_EQ(part->router, "");
  EXPECT_THAT(told, ::testing::Contains("the default is 'math', not 'chat'"));
  EXPECT_THAT(told, ::testing::Contains("without the router 'summer': 'summer' is no router"));
  EXPECT_EQ(SmallWithOnly({"nano"}, told).status().code(), absl::StatusCode::kNotFound);
}

struct Mistake {
  const char* yaml;
  const char* message;
  absl::StatusCode code = absl::StatusCode::kInvalidArgument;
};
class WrongSpecialists : public ::testing::TestWithParam<Mistake> {};

TEST_P(WrongSpecialists, AreRefusedWithPlaceAndRemedy) {
  const auto read = ReadSpecialists(GetParam().yaml, "s.yaml", ThatKnow());
  ASSERT_FALSE(read.ok()) << GetParam().yaml;
  EXPECT_EQ(read.status().code(), GetParam().code) << read.status();
  EXPECT_THAT(std::string(read.status().message()), HasSubstr(GetParam().message));
}

constexpr Mistake kMistakes[] = {
    {"[1, 2]", "s.yaml:1: specialists: the registry is a map"},
    {"", "the registry is a map"},
    {"default: chat\n", "s.yaml:1: tasks: it is missing; name at least one task with its model"},
    {"tasks: {}\n", "s.yaml:1: tasks: a map of at least one task is wanted"},
    {"tasks:\n  chat:\n    model: talker\n  a/b:\n    model: talker\n", "s.yaml:4: tasks: 'a/b' cannot name a task"},
    {"tasks:\n  chat:\n    keywords: [hi]\n", "s.yaml:2: tasks.chat.model: it is missing; name the model"},
    {"tasks:\n  chat:\n    model: talker\n    keyword: [hi]\n",
     "s.yaml:4: tasks.chat.keyword: there is no such key; there are model, intents, keywords, nodes, fallback"},
    {"tasks:\n  chat:\n    model: talker\n    model: coder\n", "s.yaml:4: tasks.chat.model: the key stands here twice"},
    {"tasks:\n  chat: {model: talker}\n  chat: {model: coder}\n", "s.yaml:3: tasks: there are two tasks 'chat'"},
    {"tasks:\n  chat: {model: [a]}\n", "s.yaml:2: tasks.chat.model: one word or text is wanted"},
    {"tasks:\n  chat: {model: talker, intents: chat}\n", "tasks.chat.intents: a list is wanted, as [one, two]"},
    {"tasks:\n  chat: {model: talker, keywords: [\" \"]}\n", "tasks.chat.keywords: one word or text is wanted"},
    {"default: b\ntasks:\n  a: {model: talker, intents: [x]}\n  b: {model: coder, intents: [x]}\n",
     "s.yaml:4: tasks.b.intents: 'x' is an intent of the task 'a' already"},
    {"tasks:\n  a: {model: talker, fallback: [talker]}\n", "'talker' is the task's own model; leave it out"},
    {"tasks:\n  a: {model: talker}\n  b: {model: coder}\n", "default: it is missing; name one of the tasks a, b"},
    {"default: c\ntasks: {a: {model: talker}}\n", "s.yaml:1: default: there is no task 'c'; name one of a"},
    {"threshold: 1\ntasks: {a: {model: talker}}\n", "s.yaml:1: threshold: a number from 0 to below 1 is wanted"},
    {"threshold: often\ntasks: {a: {model: talker}}\n", "threshold: a number from 0 to below 1 is wanted"},
    {"router: nano\ntasks: {a: {model: talker}}\n", "router: a map is wanted, as {model: NAME}"},
    {"router: {model: coder}\ntasks: {a: {model: talker}}\n", "s.yaml:1: router.model: 'coder' is no router"},
    {"router: {model: nano}\ntasks:\n  a: {model: talker, intents: [chat, cod]}\n",
     "s.yaml:3: tasks.a.intents: the router 'nano' knows no intent 'cod'; it tells apart code, math"},
    {"tasks:\n  a: {model: absent}\n",
     "s.yaml:2: tasks.a.model: no model is called 'absent'; `enigma models import` it, or name another model",
     absl::StatusCode::kNotFound},
    {"tasks:\n  a:\n    model: talker\n    fallback: [coder, gone]\n",
     "s.yaml:4: tasks.a.fallback: no model is called 'gone'", absl::StatusCode::kNotFound},
    {"tasks: {a: {model: talker\n", "this is no YAML"},
    {"tasks: &a {b: *a}\n", "tasks.b.b: there is no such key"},
};
INSTANTIATE_TEST_SUITE_P(Each, WrongSpecialists, ::testing::ValuesIn(kMistakes));

TEST(Specialists, DeepAndLargeTextsEndInAnError) {
  EXPECT_FALSE(ReadSpecialists(std::string(100'000, '['), "s", ThatKnow()).ok());
  EXPECT_FALSE(ReadSpecialists(std::string(100'000, '{'), "s", ThatKnow()).ok());
  EXPECT_FALSE(ReadSpecialists(std::string(Specialists::kBytesMax + 1, ' '), "s", ThatKnow()).ok());
}

TEST(SpecialistRegistry, KeepsWhatIsInForceWhenSomethingWrongComes) {
  SpecialistRegistry registry;
  EXPECT_EQ(registry.table(), nullptr);
  registry.Put(*ReadSmall(), "first");
  const RoutingTablePtr first = registry.table();
  registry.Reject(absl::InvalidArgumentError("wrong"));
  EXPECT_EQ(registry.table(), first);
  EXPECT_EQ(registry.text(), "first");
  EXPECT_FALSE(registry.fault().ok());
  registry.Put(*ReadSmall(), "second");
  EXPECT_NE(registry.table(), first);
  EXPECT_TRUE(registry.fault().ok());
}

}  // namespace
}  // namespace enigma::coordinator
