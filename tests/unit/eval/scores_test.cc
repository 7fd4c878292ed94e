// What is made of answers: shares, intervals, counts by kind.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "eval/code/code_scores.h"
#include "eval/math/math_scores.h"
#include "eval/wilson_interval.h"

namespace enigma::eval {
namespace {

using ::testing::SizeIs;

// Figures of the formula in exact arithmetic, to 6 digits.
TEST(WilsonInterval, IsThatOfTheTable) {
  const struct {
    double successes, trials, low, high;
  } cases[] = {
      {0, 0, 0, 1},
      {0, 10, 0, 0.277533},
      {10, 10, 0.722467, 1},
      {5, 10, 0.236593, 0.763407},
      {81, 263, 0.255289, 0.366210},
      {950, 1000, 0.934686, 0.961870},
  };
  for (const auto& test : cases) {
    const Interval interval = WilsonInterval(test.successes, test.trials);
    EXPECT_NEAR(interval.low, test.low, 1e-5) << test.successes << " of " << test.trials;
    EXPECT_NEAR(interval.high, test.high, 1e-5) << test.successes << " of " << test.trials;
  }
}

CodeResult Result(size_t request, RunOutcome outcome) { return {.request = request, .run = {outcome, ""}}; }

TEST(ScoreCode, CountsByRequestByTaskAndByOutcome) {
  const std::vector<CodeTask> tasks = {{"a", {}, "", {}}, {"b", {}, "", {}}};
  const std::vector<CodeRequest> requests = {{&tasks[0], "1"}, {&tasks[0], "2"}, {&tasks[1], "3"}};
  std::vector<CodeResult> results = {
      Result(0, RunOutcome::kPassed), Result(1, RunOutcome::kWrong),  Result(2, RunOutcome::kSyntax),
      Result(0, RunOutcome::kPassed), Result(1, RunOutcome::kPassed), Result(2, RunOutcome::kTimeout),
  };
  results[5].was_cut = true;
  const CodeScores scores = ScoreCode(requests, results);
  EXPECT_EQ(scores.requests, 3U);
  EXPECT_EQ(scores.answers, 6U);
  EXPECT_EQ(scores.cut, 1U);
  EXPECT_DOUBLE_EQ(scores.pass_at_1, (1 + 0.5 + 0) / 3);
  EXPECT_DOUBLE_EQ(scores.pass_any, 2.0 / 3);
  EXPECT_DOUBLE_EQ(scores.pass_at_1_interval.low, WilsonInterval(1.5, 3).low);
  EXPECT_DOUBLE_EQ(scores.pass_any_interval.high, WilsonInterval(2, 3).high);
  ASSERT_THAT(scores.tasks, SizeIs(2));
  EXPECT_EQ(scores.tasks[0].name, "a");
  EXPECT_EQ(scores.tasks[0].answers, 4U);
  EXPECT_EQ(scores.tasks[0].passed, 3U);
  EXPECT_EQ(scores.tasks[1].passed, 0U);
  EXPECT_EQ(scores.outcomes[static_cast<size_t>(RunOutcome::kPassed)], 3U);
  EXPECT_EQ(scores.outcomes[static_cast<size_t>(RunOutcome::kWrong)], 1U);
  EXPECT_EQ(scores.outcomes[static_cast<size_t>(RunOutcome::kSyntax)], 1U);
  EXPECT_EQ(scores.outcomes[static_cast<size_t>(RunOutcome::kTimeout)], 1U);
}

TEST(GradeMath, ComparesTheLastNumberExactly) {
  const auto is_right = [](const char* expected, const char* answer) {
    return GradeMath({.question = "?", .answer = expected, .number = expected, .kind = ""}, answer).right;
  };
  EXPECT_TRUE(is_right("92", "34 + 58 = 92"));
  EXPECT_TRUE(is_right("-7", " 3 - 10 = -7."));
  EXPECT_TRUE(is_right("1200", "It is 1,200 euros."));
  EXPECT_TRUE(is_right("2.5", "2.50"));
  EXPECT_FALSE(is_right("92", "92 is 34 + 58"));
  EXPECT_FALSE(is_right("7", "-7"));
  EXPECT_FALSE(is_right("2.5", "2.51"));
  EXPECT_FALSE(is_right("92", "ninety-two"));
  EXPECT_FALSE(is_right("92", ""));
}

TEST(ScoreMath, CountsAllAndEachKind) {
  const std::vector<MathQuestion> questions = {
      {"1?", "1", "1", "sum"}, {"2?", "2", "2", "word"}, {"3?", "3", "3", "sum"}};
  std::vector<MathResult> results;
  for (size_t i = 0; i < 3; ++i) results.push_back(GradeMath(questions[i], i == 2 ? "no idea" : "1"));
  results[2].was_cut = true;
  const MathScores scores = ScoreMath(questions, results);
  EXPECT_EQ(scores.all.questions, 3U);
  EXPECT_EQ(scores.all.right, 1U);
  EXPECT_EQ(scores.all.without_number, 1U);
  EXPECT_EQ(scores.all.cut, 1U);
  ASSERT_THAT(scores.kinds, SizeIs(2));
  EXPECT_EQ(scores.kinds[0].kind, "sum");
  EXPECT_DOUBLE_EQ(scores.kinds[0].accuracy(), 0.5);
  EXPECT_DOUBLE_EQ(scores.kinds[1].accuracy(), 0);
  EXPECT_DOUBLE_EQ(scores.kinds[0].interval().low, WilsonInterval(1, 2).low);
  EXPECT_EQ(MathScore{}.accuracy(), 0);
}

}  // namespace
}  // namespace enigma::eval
