#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/statusor.h>

#include "eval/held_out.h"

namespace enigma::eval {

enum class MathKind {
  kSum,         // of two numbers from 0 to 99
  kDifference,  // likewise; half of them are below 0
  kProduct,     // of two numbers from 0 to 12
  kWord,        // a little story that comes to one of these, never below 0
};
inline constexpr size_t kMathKinds = 4;
std::string_view NameOf(MathKind kind);  // "sum"
// Of a list such as "sum,word", each once. InvalidArgument names what there is.
absl::StatusOr<std::vector<MathKind>> ParseMathKinds(std::string_view names);

struct MathProblem {
  MathKind kind = MathKind::kSum;
  std::string question;
  std::string answer;  // "34 + 58 = 92": the result is its last number
  Split split = Split::kTrain;
};

struct MathOptions {
  uint64_t count = 0;
  uint64_t seed = 0;
  std::vector<MathKind> kinds = {MathKind::kSum, MathKind::kDifference, MathKind::kProduct, MathKind::kWord};
  std::optional<Split> split = std::nullopt;  // nothing: of all three
};

// So many problems, no question twice, the same for the same options on every machine. One in ten is held out, half of
// them for validation and half for the test, whatever the seed: of sums and differences the numbers decide, so that
// training sets hold no wording of one that is held out, nor its sum the other way round; of products, whose table has
// to be learned whole, the question does. InvalidArgument where there are not that many different ones.
absl::StatusOr<std::vector<MathProblem>> MakeMathProblems(const MathOptions& options);

}  // namespace enigma::eval
