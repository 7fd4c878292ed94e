#include "eval/math/math_problems.h"

#include <array>
#include <map>
#include <set>
#include <string>

#include <absl/strings/numbers.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_split.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/corpus/question_answer.h"
#include "eval/math/final_number.h"

namespace enigma::eval {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;

std::vector<MathProblem> Make(const MathOptions& options) {
  auto made = MakeMathProblems(options);
  EXPECT_TRUE(made.ok()) << made.status();
  return made.ok() ? *std::move(made) : std::vector<MathProblem>();
}

struct Computation {
  int a = 0;
  char sign = 0;
  int b = 0;
  int result = 0;
};

Computation Read(const std::string& answer) {
  const std::vector<std::string> words = absl::StrSplit(answer, ' ');
  Computation read;
  EXPECT_THAT(words, SizeIs(5)) << answer;
  if (words.size() != 5) return read;
  EXPECT_TRUE(absl::SimpleAtoi(words[0], &read.a) && absl::SimpleAtoi(words[2], &read.b) &&
              absl::SimpleAtoi(words[4], &read.result))
      << answer;
  read.sign = words[1][0];
  return read;
}

TEST(MathProblems, AreRightAndInRange) {
  std::map<std::string_view, size_t> kinds;
  std::set<std::string> questions;
  size_t below_zero = 0;
  for (const MathProblem& problem : Make({.count = 4000, .seed = 1})) {
    SCOPED_TRACE(problem.question);
    ++kinds[NameOf(problem.kind)];
    EXPECT_TRUE(questions.insert(problem.question).second);
    EXPECT_THAT(problem.question, Not(HasSubstr("{")));
    const Computation c = Read(problem.answer);
    EXPECT_EQ(c.result, c.sign == '+' ? c.a + c.b : c.sign == '-' ? c.a - c.b : c.a * c.b) << problem.answer;
    EXPECT_EQ(FinalNumber(problem.answer), std::to_string(c.result));
    const int max = c.sign == '*' ? 12 : 99;
    EXPECT_TRUE(c.a >= 0 && c.a <= max && c.b >= 0 && c.b <= max) << problem.answer;
    EXPECT_THAT(problem.question, HasSubstr(absl::StrCat(c.a)));
    EXPECT_THAT(problem.question, HasSubstr(absl::StrCat(c.b)));
    EXPECT_TRUE(problem.kind != MathKind::kWord || c.result >= 0);
    below_zero += c.result < 0 ? 1 : 0;
  }
  ASSERT_THAT(kinds, SizeIs(kMathKinds));
  for (const auto& [kind, count] : kinds) EXPECT_GE(count, 600u) << kind;
  EXPECT_GE(below_zero, 300u);
}

TEST(MathProblems, DependOnTheSeedAlone) {
  const std::string first = QuestionLines(Make({.count = 50, .seed = 7}));
  EXPECT_EQ(first, QuestionLines(Make({.count = 50, .seed = 7})));
  EXPECT_NE(first, QuestionLines(Make({.count = 50, .seed = 8})));
  // A larger set begins with the smaller one.
  EXPECT_EQ(QuestionLines(Make({.count = 80, .seed = 7})).substr(0, first.size()), first);
}

TEST(MathProblems, KeepWhatIsHeldOutFromTraining) {
  const auto training = Make({.count = 8000, .seed = 1, .portion = Portion::kTraining});
  const auto held_out = Make({.count = 800, .seed = 2, .portion = Portion::kHeldOut});
  std::set<std::string> trained;  // sums and differences in whatever words, products as they are asked for
  for (const MathProblem& problem : training) {
    EXPECT_FALSE(problem.held_out);
    const Computation c = Read(problem.answer);
    if (c.sign == '*') {
      trained.insert(problem.question);
    } else {
      trained.insert(absl::StrCat(c.a, std::string(1, c.sign), c.b));
      if (c.sign == '+') trained.insert(absl::StrCat(c.b, "+", c.a));
    }
  }
  for (const MathProblem& problem : held_out) {
    EXPECT_TRUE(problem.held_out);
    const Computation c = Read(problem.answer);
    const std::string key = c.sign == '*' ? problem.question : absl::StrCat(c.a, std::string(1, c.sign), c.b);
    EXPECT_EQ(trained.count(key), 0u) << problem.question;
  }
}

TEST(MathProblems, HoldOutATenth) {
  size_t held_out = 0;
  const auto all = Make({.count = 5000, .seed = 3});
  for (const MathProblem& problem : all) held_out += problem.held_out ? 1 : 0;
  EXPECT_NEAR(static_cast<double>(held_out) / 5000, 0.1, 0.02);
}

TEST(MathProblems, AreOfTheKindsThatAreAskedFor) {
  for (const MathProblem& problem : Make({.count = 200, .seed = 1, .kinds = {MathKind::kProduct}})) {
    EXPECT_EQ(problem.kind, MathKind::kProduct);
    EXPECT_EQ(Read(problem.answer).sign, '*');
  }
  EXPECT_FALSE(MakeMathProblems({.count = 1, .seed = 1, .kinds = {}}).ok());
}

TEST(MathProblems, SayWhereThereAreTooFew) {
  const auto made = MakeMathProblems({.count = 5000, .seed = 1, .kinds = {MathKind::kProduct}});
  EXPECT_TRUE(absl::IsInvalidArgument(made.status()));
  EXPECT_THAT(std::string(made.status().message()), HasSubstr("there are only about 3"));
}

TEST(MathProblems, AreReadAsPairsToTrainOn) {
  const std::string lines = QuestionLines(Make({.count = 100, .seed = 4}));
  std::vector<engine::Document> documents;
  engine::ReaderCounts counts;
  const auto status = engine::ReadQuestions(engine::LineSource(lines, "math.txt", 1000), 0, documents, counts);
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_THAT(documents, SizeIs(100));
  EXPECT_EQ(counts.lines, 200u);
}

}  // namespace
}  // namespace enigma::eval
