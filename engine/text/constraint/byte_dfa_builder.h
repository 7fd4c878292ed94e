#pragma once

#include <cstdint>
#include <vector>

#include "engine/text/constraint/byte_dfa.h"
#include "engine/text/constraint/compile_budget.h"

namespace enigma::engine {

// Collects states and edges in any order.
class ByteDfaBuilder {
 public:
  explicit ByteDfaBuilder(CompileBudget& budget) : budget_(budget) {}

  // False when the budget is used up.
  [[nodiscard]] bool AddState(uint32_t& id) {
    id = static_cast<uint32_t>(states_.size());
    states_.emplace_back();
    return budget_.TakeStates(1);
  }
  void AddEdge(uint32_t from, uint8_t low, uint8_t high, uint32_t to) {
    std::vector<ByteDfa::Edge>& edges = states_[from].edges;
    if (!edges.empty() && edges.back().target == to && edges.back().high + 1 == low) {
      edges.back().high = high;
    } else {
      edges.push_back({low, high, to});
    }
  }
  void SetAccepts(uint32_t state) { states_[state].accepts = true; }
  ByteDfa Finish();

 private:
  struct State {
    bool accepts = false;
    std::vector<ByteDfa::Edge> edges;
  };
  CompileBudget& budget_;
  std::vector<State> states_;
};

}  // namespace enigma::engine
