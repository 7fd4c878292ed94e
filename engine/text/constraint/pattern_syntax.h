#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include <absl/status/statusor.h>

#include "engine/text/constraint/code_points.h"

namespace enigma::engine {

// A regular expression taken apart. Lazy and greedy repetitions are alike: only the language matters.
struct PatternNode {
  enum class Kind : uint8_t { kEmpty, kSet, kSequence, kChoice, kRepeat, kStart, kEnd };
  static constexpr uint32_t kUnlimited = ~0U;

  Kind kind = Kind::kEmpty;
  CodePointSet set;                                    // kSet
  std::vector<std::unique_ptr<PatternNode>> children;  // kSequence, kChoice; one of kRepeat
  uint32_t min = 0;                                    // kRepeat
  uint32_t max = 0;
};

// The dialect of ECMA-262 with the u flag, as JSON Schema has it, as far as it is regular: alternatives, groups,
// classes, \d \w \s and their complements, escapes, repetitions, ^ and $. InvalidArgument names what is not supported
// (lookaround, backreferences, \b, \p{...}) or malformed, and where.
absl::StatusOr<std::unique_ptr<PatternNode>> ParsePattern(std::string_view pattern);

}  // namespace enigma::engine
