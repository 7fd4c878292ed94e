#include "eval/math/math_problems.h"

#include <algorithm>
#include <array>
#include <utility>

#include <absl/container/flat_hash_set.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_replace.h>
#include <absl/strings/str_split.h>

#include "base/counter_random.h"
#include "base/text.h"
#include "eval/math/wordings.h"

namespace enigma::eval {
namespace {

constexpr uint64_t kParts = 20;
constexpr uint64_t kTestPart = 0;
constexpr uint64_t kValidationPart = 10;  // so that what is held out is a number that 10 divides
constexpr int64_t kTermMax = 99;
constexpr int64_t kFactorMax = 12;

// The numbers of one attempt, which depend on the seed and on the attempt's index alone.
class Draw {
 public:
  Draw(uint64_t seed, uint64_t attempt) : seed_(seed), attempt_(attempt) {}

  // One of 0 ... count - 1.
  size_t Below(size_t count) {
    return static_cast<size_t>(CounterUniform(seed_, attempt_, position_++) * static_cast<double>(count));
  }
  std::string_view Among(std::span<const std::string_view> texts) { return texts[Below(texts.size())]; }

 private:
  const uint64_t seed_;
  const uint64_t attempt_;
  uint64_t position_ = 0;
};

// What is computed, in whatever words.
struct Operation {
  char sign;
  int64_t a, b;

  int64_t result() const { return sign == '+' ? a + b : sign == '-' ? a - b : a * b; }
};

Operation OperationOf(MathKind kind, Draw& draw) {
  const bool is_story = kind == MathKind::kWord;
  if (is_story) kind = static_cast<MathKind>(draw.Below(3));
  const size_t numbers = static_cast<size_t>(kind == MathKind::kProduct ? kFactorMax : kTermMax) + 1;
  const auto a = static_cast<int64_t>(draw.Below(numbers));
  const auto b = static_cast<int64_t>(draw.Below(numbers));
  if (kind == MathKind::kSum) return {'+', a, b};
  if (kind == MathKind::kProduct) return {'*', a, b};
  return is_story ? Operation{'-', std::max(a, b), std::min(a, b)} : Operation{'-', a, b};
}

std::string_view WordingOf(MathKind kind, char sign, Draw& draw) {
  const bool is_story = kind == MathKind::kWord;
  if (sign == '+') return draw.Among(is_story ? SumStories() : SumWordings());
  if (sign == '-') return draw.Among(is_story ? DifferenceStories() : DifferenceWordings());
  return draw.Among(is_story ? ProductStories() : ProductWordings());
}

// What decides about a problem: of sums and differences the numbers, of products the question.
std::string SplitKey(const Operation& operation, const std::string& question) {
  const auto [a, b] = std::pair(operation.a, operation.b);
  if (operation.sign == '*') return question;
  if (operation.sign == '-') return absl::StrCat(a, "-", b);
  return absl::StrCat(std::min(a, b), "+", std::max(a, b));
}

Split SplitOf(const Operation& operation, const std::string& question) {
  const uint64_t part = PartOf(SplitKey(operation, question), kParts);
  return part == kTestPart ? Split::kTest : part == kValidationPart ? Split::kValidation : Split::kTrain;
}

MathProblem ProblemOf(const MathOptions& options, Draw draw) {
  MathProblem problem;
  problem.kind = options.kinds[draw.Below(options.kinds.size())];
  const Operation operation = OperationOf(problem.kind, draw);
  const std::string_view wording = WordingOf(problem.kind, operation.sign, draw);
  problem.question = absl::StrReplaceAll(ToAbsl(wording), {{"{a}", absl::StrCat(operation.a)},
                                                           {"{b}", absl::StrCat(operation.b)},
                                                           {"{name}", ToAbsl(draw.Among(FirstNames()))},
                                                           {"{thing}", ToAbsl(draw.Among(Things()))}});
  const char sign[] = {' ', operation.sign, ' ', '\0'};
  problem.answer = absl::StrCat(operation.a, sign, operation.b, " = ", operation.result());
  problem.split = SplitOf(operation, problem.question);
  return problem;
}

}  // namespace

std::string_view NameOf(MathKind kind) {
  constexpr std::array<std::string_view, kMathKinds> kNames = {"sum", "difference", "product", "word"};
  return kNames[static_cast<size_t>(kind)];
}

absl::StatusOr<std::vector<MathKind>> ParseMathKinds(std::string_view names) {
  std::vector<MathKind> kinds;
  for (const absl::string_view name : absl::StrSplit(ToAbsl(names), ',')) {
    const size_t before = kinds.size();
    for (size_t i = 0; i < kMathKinds; ++i) {
      const auto kind = static_cast<MathKind>(i);
      if (NameOf(kind) == ToStd(name)) kinds.push_back(kind);
    }
    if (kinds.size() == before) {
      return absl::InvalidArgumentError(
          absl::StrCat("\"", name, "\" is no kind of problem; there are sum, difference, product and word"));
    }
    if (std::find(kinds.begin(), kinds.end() - 1, kinds.back()) != kinds.end() - 1) {
      return absl::InvalidArgumentError(absl::StrCat("\"", name, "\" is named twice"));
    }
  }
  return kinds;
}

absl::StatusOr<std::vector<MathProblem>> MakeMathProblems(const MathOptions& options) {
  if (options.kinds.empty()) return absl::InvalidArgumentError("math problems: name at least one kind");
  // What is still new after so many attempts is too rare to be waited for.
  const uint64_t attempts_max = 100 * options.count + 10'000;
  std::vector<MathProblem> problems;
  absl::flat_hash_set<std::string> asked;
  for (uint64_t attempt = 0; problems.size() < options.count; ++attempt) {
    if (attempt == attempts_max) {
      return absl::InvalidArgumentError(absl::StrCat("there are only about ", problems.size(),
                                                     " different problems of these kinds; ask for fewer than ",
                                                     options.count));
    }
    MathProblem problem = ProblemOf(options, Draw(options.seed, attempt));
    if (options.split && problem.split != *options.split) continue;
    if (asked.insert(problem.question).second) problems.push_back(std::move(problem));
  }
  return problems;
}

}  // namespace enigma::eval
