#include "engine/text/constraint/byte_dfa.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "engine/text/constraint/byte_dfa_builder.h"

namespace enigma::engine {

ByteDfa ByteDfaBuilder::Finish() {
  ByteDfa dfa;
  for (State& state : states_) {
    std::sort(state.edges.begin(), state.edges.end(), [](const auto& a, const auto& b) { return a.low < b.low; });
    dfa.first_edge_.push_back(static_cast<uint32_t>(dfa.edges_.size()));
    dfa.edges_.insert(dfa.edges_.end(), state.edges.begin(), state.edges.end());
    dfa.accepts_.push_back(state.accepts ? 1 : 0);
  }
  dfa.first_edge_.push_back(static_cast<uint32_t>(dfa.edges_.size()));
  return dfa;
}

absl::StatusOr<ByteDfa> ByteDfa::FromLiterals(std::vector<std::string> literals, CompileBudget& budget) {
  std::sort(literals.begin(), literals.end());
  literals.erase(std::unique(literals.begin(), literals.end()), literals.end());
  ByteDfaBuilder builder(budget);
  uint32_t root;
  if (!builder.AddState(root)) return budget.Exhausted();
  std::vector<uint32_t> path = {root};  // states behind each byte of the previous literal
  std::string_view previous;
  for (const std::string& literal : literals) {
    size_t shared = 0;
    while (shared < std::min(previous.size(), literal.size()) && previous[shared] == literal[shared]) ++shared;
    path.resize(shared + 1);
    for (size_t i = shared; i < literal.size(); ++i) {
      uint32_t state;
      if (!builder.AddState(state)) return budget.Exhausted();
      const auto byte = static_cast<uint8_t>(literal[i]);
      builder.AddEdge(path.back(), byte, byte, state);
      path.push_back(state);
    }
    builder.SetAccepts(path.back());
    previous = literal;
  }
  return builder.Finish();
}

}  // namespace enigma::engine
