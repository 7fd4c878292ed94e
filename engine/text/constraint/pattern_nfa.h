#pragma once

#include <cstdint>
#include <vector>

#include <absl/status/statusor.h>

#include "engine/text/constraint/code_points.h"
#include "engine/text/constraint/compile_budget.h"
#include "engine/text/constraint/pattern_syntax.h"

namespace enigma::engine {

// Thompson's construction. State 0 is the start, and a text is accepted where kMatch is reached at its end; the search
// loops before and behind the pattern are part of it.
struct PatternNfa {
  struct State {
    enum class Kind : uint8_t { kSet, kSplit, kStart, kEnd, kMatch };
    static constexpr uint32_t kNone = ~0U;
    Kind kind;
    uint32_t set = kNone;   // kSet: index into `sets`
    uint32_t next = kNone;  // kStart and kEnd: passable at the text's beginning and end only
    uint32_t other = kNone;
  };
  std::vector<State> states;
  std::vector<CodePointSet> sets;
};

absl::StatusOr<PatternNfa> BuildPatternNfa(const PatternNode& pattern, CompileBudget& budget);

}  // namespace enigma::engine
