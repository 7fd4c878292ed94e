#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include <absl/status/statusor.h>

#include "engine/text/constraint/code_points.h"
#include "engine/text/constraint/compile_budget.h"

namespace enigma::engine {

// A deterministic automaton over Unicode scalar values. From every state an accepting one can be reached; state 0 is
// the start. An automaton without states accepts nothing.
struct PatternDfa {
  struct Edge {
    uint32_t low;
    uint32_t high;  // included
    uint32_t target;
  };
  struct State {
    bool accepts = false;
    std::vector<Edge> edges;  // sorted, disjoint
  };
  std::vector<State> states;

  bool empty() const { return states.empty(); }
};

// All texts in which `pattern` is found (JSON Schema's meaning: not anchored). InvalidArgument for what ParsePattern
// refuses, ResourceExhausted when the automaton outgrows the budget.
absl::StatusOr<PatternDfa> CompilePattern(std::string_view pattern, CompileBudget& budget);

// What both accept.
absl::StatusOr<PatternDfa> Intersect(const PatternDfa& a, const PatternDfa& b, CompileBudget& budget);

}  // namespace enigma::engine
