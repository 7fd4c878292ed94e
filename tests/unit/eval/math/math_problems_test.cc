#include "eval/math/math_problems.h"

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <string>

#include <absl/strings/numbers.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_split.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "eval/math/final_number.h"
#include "eval/math/math_file.h"

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
  const std::string first = MathLines(Make({.count = 50, .seed = 7}));
  EXPECT_EQ(first, MathLines(Make({.count = 50, .seed = 7})));
  EXPECT_NE(first, MathLines(Make({.count = 50, .seed = 8})));
  // A larger set begins with the smaller one.
  EXPECT_EQ(MathLines(Make({.count = 80, .seed = 7})).substr(0, first.size()), first);
}

// What decides about a problem: sums and differences in whatever words, products as they are asked for.
std::string KeyOf(const MathProblem& problem) {
  const Computation c = Read(problem.answer);
  if (c.sign == '*') return problem.question;
  if (c.sign == '-') return absl::StrCat(c.a, "-", c.b);
  return absl::StrCat(std::min(c.a, c.b), "+", std::max(c.a, c.b));
}

// The rule of data/math/README.md.
Split SplitOfKey(const std::string& key) {
  const uint64_t part = PartOf(key, 20);
  return part == 0 ? Split::kTest : part == 10 ? Split::kValidation : Split::kTrain;
}

TEST(MathProblems, OfOneSplitAreInNoOther) {
  std::map<std::string, Split> splits;
  const std::array<std::pair<Split, uint64_t>, 3> sets = {
      {{Split::kTrain, 8000}, {Split::kValidation, 800}, {Split::kTest, 800}}};
  for (const auto& [split, count] : sets) {
    const auto problems = Make({.count = count, .seed = static_cast<uint64_t>(split), .split = split});
    EXPECT_THAT(problems, SizeIs(count));
    for (const MathProblem& problem : problems) {
      EXPECT_EQ(problem.split, split);
      EXPECT_EQ(SplitOfKey(KeyOf(problem)), split) << problem.question;
      const auto [known, is_new] = splits.try_emplace(KeyOf(problem), split);
      EXPECT_EQ(known->second, split) << problem.question;
    }
  }
}

TEST(MathProblems, HoldOutATenthInTwoHalves) {
  std::map<Split, double> shares;
  for (const MathProblem& problem : Make({.count = 5000, .seed = 3})) shares[problem.split] += 1.0 / 5000;
  EXPECT_NEAR(shares[Split::kValidation], 0.05, 0.015);
  EXPECT_NEAR(shares[Split::kTest], 0.05, 0.015);
}

// What data/math/README.md counts.
TEST(MathProblems, HoldOutThePairsThatTheReadmeCounts) {
  std::map<std::pair<char, Split>, int> pairs;
  for (int a = 0; a < 100; ++a) {
    for (int b = 0; b < 100; ++b) {
      if (a <= b) ++pairs[{'+', SplitOfKey(absl::StrCat(a, "+", b))}];
      ++pairs[{'-', SplitOfKey(absl::StrCat(a, "-", b))}];
    }
  }
  EXPECT_EQ((pairs[{'+', Split::kTest}]), 234);
  EXPECT_EQ((pairs[{'+', Split::kValidation}]), 244);
  EXPECT_EQ((pairs[{'-', Split::kTest}]), 512);
  EXPECT_EQ((pairs[{'-', Split::kValidation}]), 507);
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

TEST(MathProblems, KindsAreNamedInAList) {
  const auto kinds = ParseMathKinds("word,sum");
  ASSERT_TRUE(kinds.ok()) << kinds.status();
  EXPECT_EQ(*kinds, (std::vector<MathKind>{MathKind::kWord, MathKind::kSum}));
  for (const auto& [names, why] : std::vector<std::pair<const char*, const char*>>{{"", "\"\" is no kind"},
                                                                                   {"sum,", "\"\" is no kind"},
                                                                                   {"root", "\"root\" is no kind"},
                                                                                   {"sum,sum", "twice"}}) {
    EXPECT_THAT(std::string(ParseMathKinds(names).status().message()), HasSubstr(why)) << names;
  }
}

}  // namespace
}  // namespace enigma::eval
