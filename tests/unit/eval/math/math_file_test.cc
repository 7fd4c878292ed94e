#include "eval/math/math_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace enigma::eval {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;

std::vector<MathProblem> SomeProblems() {
  auto made = MakeMathProblems({.count = 60, .seed = 4});
  EXPECT_TRUE(made.ok()) << made.status();
  return made.ok() ? *std::move(made) : std::vector<MathProblem>();
}

TEST(MathFile, ReadsWhatItWrites) {
  const std::vector<MathProblem> problems = SomeProblems();
  const std::string lines = MathLines(problems);
  const auto read = ParseMathQuestions(lines, "m.jsonl");
  ASSERT_TRUE(read.ok()) << read.status();
  ASSERT_THAT(*read, SizeIs(problems.size()));
  const std::vector<MathQuestion> expected = QuestionsOf(problems);
  for (size_t i = 0; i < problems.size(); ++i) {
    EXPECT_EQ((*read)[i].question, problems[i].question);
    EXPECT_EQ((*read)[i].answer, problems[i].answer);
    EXPECT_EQ((*read)[i].kind, NameOf(problems[i].kind));
    EXPECT_EQ((*read)[i].number, expected[i].number);
    EXPECT_TRUE(problems[i].answer.ends_with(" = " + expected[i].number)) << problems[i].answer;
  }
}

TEST(MathFile, ReadsPairsOfLines) {
  const auto read = ParseMathQuestions("\nQ: 1 + 1?\nA: 2\n\nQ: Half of\n three?\nA: It is 1.50.\n", "m.txt");
  ASSERT_TRUE(read.ok()) << read.status();
  ASSERT_THAT(*read, SizeIs(2));
  EXPECT_EQ((*read)[0].question, "1 + 1?");
  EXPECT_EQ((*read)[0].number, "2");
  EXPECT_EQ((*read)[1].question, "Half of\n three?");
  EXPECT_EQ((*read)[1].answer, "It is 1.50.");
  EXPECT_EQ((*read)[1].number, "1.5");
  EXPECT_EQ((*read)[1].kind, "");
}

TEST(MathFile, IsRefusedWithThePlaceOfWhatIsWrong) {
  const struct {
    const char* text;
    const char* why;
  } cases[] = {
      {"", "m has no problem"},
      {"\xff", "m is no UTF-8"},
      {"one and one", "m:1: this is no JSON object"},
      {"{\"question\": \"1?\", \"answer\": \"1\"}\n[]", "m:2: this is no JSON object"},
      {"{\"question\": \" \", \"answer\": \"1\"}", "m:1: the problem needs a text 'question'"},
      {"{\"question\": \"1?\", \"answer\": 1}", "a text 'answer'"},
      {"{\"question\": \"1?\", \"answer\": \"one\"}", "m:1: the answer has no number"},
      {"Q: 1?\nA: 1\n\nQ: 2?\nA: two", "m:4: the answer has no number"},
      {"Q: 1?", "m:1: the question has no answer"},
  };
  for (const auto& test : cases) {
    const auto read = ParseMathQuestions(test.text, "m");
    EXPECT_TRUE(absl::IsInvalidArgument(read.status())) << test.text;
    EXPECT_THAT(std::string(read.status().message()), HasSubstr(test.why)) << test.text;
  }
}

// Each line has what a training job reads of a question and its answer.
TEST(MathFile, HoldsPairsToTrainOn) {
  const std::vector<MathProblem> problems = SomeProblems();
  size_t at = 0, count = 0;
  const std::string lines = MathLines(problems);
  for (; at < lines.size(); at = lines.find('\n', at) + 1, ++count) {
    const auto json = nlohmann::json::parse(lines.substr(at, lines.find('\n', at) - at));
    EXPECT_EQ(json.at("question"), problems[count].question);
    EXPECT_EQ(json.at("answer"), problems[count].answer);
  }
  EXPECT_EQ(count, problems.size());
}

}  // namespace
}  // namespace enigma::eval
