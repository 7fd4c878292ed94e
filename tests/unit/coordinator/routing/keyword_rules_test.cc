#include "coordinator/routing/keyword_rules.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace enigma::coordinator {
namespace {

using ::testing::ElementsAre;

KeywordRules Rules() {
  std::vector<Task> tasks(4);
  tasks[0] = {.name = "code", .keywords = {"python", "function", "stack trace", "c++", "функция", "関数", "größe"}};
  tasks[1] = {.name = "math", .keywords = {"sum", "plus"}};
  tasks[2] = {.name = "chat"};
  tasks[3] = {.name = "poem", .keywords = {"function of poetry", "ode"}};
  auto rules = KeywordRules::Create(tasks);
  EXPECT_TRUE(rules.ok()) << rules.status();
  return *std::move(rules);
}

struct Reading {
  const char* text;
  int task;  // -1: none
};
class ReadTexts : public ::testing::TestWithParam<Reading> {};

TEST_P(ReadTexts, FindTheirTask) {
  const auto match = Rules().Find(GetParam().text);
  EXPECT_EQ(match ? static_cast<int>(match->task) : -1, GetParam().task) << GetParam().text;
}

constexpr Reading kReadings[] = {
    {"write it in Python, please", 0},
    {"PYTHON!", 0},
    {"pythonic ways", -1},       // not a whole word
    {"a stack  trace came", 0},  // any space between
    {"a stacktrace came", -1},
    {"some help with C++?", 0},  // the end is no letter
    {"c++20 or c++23", 0},
    {"summary of the presumption", -1},
    {"the sum of it", 1},
    {"two plus two in sum, as a function", 1},  // two words against one
    {"напиши ФУНКЦИЯ сортировки", 0},           // other alphabets, whatever the case
    {"функциями", -1},
    {"この関数を直して", 0},  // no spaces between words
    {"die GRÖSSE", -1},
    {"die GRÖßE davon", 0},
    {"what is the function of poetry", 3},  // one word each: the longer
    {"my_function_name", -1},
    {"", -1},
    {"\xff\xfe python \xff", 0},  // bytes that are no UTF-8
};
INSTANTIATE_TEST_SUITE_P(Each, ReadTexts, ::testing::ValuesIn(kReadings));

TEST(KeywordRules, SayWhichWordsDecided) {
  const auto match = Rules().Find("a function, a Function and a stack trace in python");
  ASSERT_TRUE(match);
  EXPECT_THAT(match->words, ElementsAre("python", "function", "stack trace"));
}

TEST(KeywordRules, ReadTheEndsOfALongText) {
  const KeywordRules rules = Rules();
  const std::string filler(3 * KeywordRules::kEndBytes, '.');
  EXPECT_TRUE(rules.Find("python " + filler));
  EXPECT_TRUE(rules.Find(filler + " python"));
  EXPECT_FALSE(rules.Find(filler + " python " + filler));
}

TEST(KeywordRules, TakeAsManyAsATaskMayHave) {
  std::vector<Task> tasks(2);
  tasks[0] = {.name = "long"};
  for (size_t i = 0; i < 500; ++i) tasks[0].keywords.push_back("k" + std::to_string(i) + std::string(60, 's'));
  tasks[1] = {.name = "many"};
  for (size_t i = 0; i < Specialists::kKeywordsMax; ++i) {
    tasks[1].keywords.push_back("word " + std::to_string(i) + " of many");
  }
  const auto rules = KeywordRules::Create(tasks);
  ASSERT_TRUE(rules.ok()) << rules.status();
  for (const size_t i : {0, 1, 250, 499}) {
    const auto match = rules->Find("a " + tasks[0].keywords[i] + "!");
    ASSERT_TRUE(match) << i;
    EXPECT_EQ(match->task, 0u);
    EXPECT_THAT(match->words, ElementsAre(tasks[0].keywords[i]));
  }
  const auto match = rules->Find("Word 3 of many, word 1999 of many, and word 1000 of many");
  ASSERT_TRUE(match);
  EXPECT_THAT(match->words, ElementsAre("word 3 of many", "word 1000 of many", "word 1999 of many"));
}

// However many patterns they come to, the longer keyword is what stands at a place.
TEST(KeywordRules, AShortKeywordInALongOneDoesNotCount) {
  std::vector<Task> tasks(1);
  tasks[0] = {.name = "code", .keywords = {"stack"}};
  for (size_t i = 0; i < 1000; ++i) tasks[0].keywords.push_back("filler " + std::to_string(i) + std::string(40, 'k'));
  tasks[0].keywords.push_back("stack trace that is so long that it stands in the first pattern of them all, surely");
  const auto rules = KeywordRules::Create(tasks);
  ASSERT_TRUE(rules.ok()) << rules.status();
  const auto match = rules->Find("see the " + tasks[0].keywords.back());
  ASSERT_TRUE(match);
  EXPECT_THAT(match->words, ElementsAre(tasks[0].keywords.back()));
}

TEST(KeywordRules, SayWhatIsWrongWithOne) {
  std::vector<Task> tasks(1);
  tasks[0] = {.name = "code", .keywords = {"python", "\xff\xfe"}};
  const auto rules = KeywordRules::Create(tasks);
  ASSERT_FALSE(rules.ok());
  EXPECT_NE(rules.status().message().find("tasks.code.keywords"), absl::string_view::npos);
  EXPECT_NE(rules.status().message().find("UTF-8"), absl::string_view::npos) << rules.status();
}

TEST(KeywordRules, TakeWhatMeansSomethingToPatternsAsItIs) {
  std::vector<Task> tasks(1);
  tasks[0] = {.name = "code", .keywords = {"a.b", "(x|y)", "\\E[", "50%"}};
  const auto rules = KeywordRules::Create(tasks);
  ASSERT_TRUE(rules.ok()) << rules.status();
  EXPECT_FALSE(rules->Find("axb x y"));
  EXPECT_TRUE(rules->Find("see a.b"));
  EXPECT_TRUE(rules->Find("(x|y)"));
  EXPECT_TRUE(rules->Find("\\E["));
}

TEST(KeywordRules, RefuseWhatIsNoText) {
  std::vector<Task> tasks(1);
  tasks[0] = {.name = "code", .keywords = {"\xff"}};
  const auto rules = KeywordRules::Create(tasks);
  ASSERT_FALSE(rules.ok());
  EXPECT_EQ(rules.status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace enigma::coordinator
