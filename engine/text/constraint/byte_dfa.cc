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
  dfa.MakeTable();
  return dfa;
}

void ByteDfa::MakeTable() {
  std::array<bool, 257> begins = {};  // a class of bytes
  for (const Edge& edge : edges_) begins[edge.low] = begins[edge.high + 1] = true;
  uint8_t current = 0;
  for (size_t byte = 1; byte < 256; ++byte) {
    if (begins[byte]) ++current;
    class_of_[byte] = current;
  }
  const size_t classes = size_t{current} + 1;
  const size_t states = accepts_.size();
  if (classes > kTableClassesMax || states > kTableStatesMax) return;
  table_.assign(states * classes, kDead);
  for (size_t state = 0; state < states; ++state) {
    for (uint32_t i = first_edge_[state]; i < first_edge_[state + 1]; ++i) {
      for (size_t c = class_of_[edges_[i].low]; c <= class_of_[edges_[i].high]; ++c) {
        table_[state * classes + c] = edges_[i].target;
      }
    }
  }
  classes_ = classes;
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
