#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include <absl/status/statusor.h>

#include "engine/text/constraint/compile_budget.h"
#include "engine/text/constraint/pattern_dfa.h"

namespace enigma::engine {

// A deterministic automaton over bytes, for a piece of output without structure: a number, a patterned string with its
// quotes, one of several literals. From every state an accepting one can be reached; the start, state 0, does not
// accept. Immutable; thread-safe.
class ByteDfa {
 public:
  static constexpr uint32_t kDead = ~0U;

  // What `dfa` accepts, as UTF-8. `quoted`: as a JSON string, with quotes around it and escapes in it.
  static absl::StatusOr<ByteDfa> FromPattern(const PatternDfa& dfa, bool quoted, CompileBudget& budget);
  // Exactly these texts, none of them empty.
  static absl::StatusOr<ByteDfa> FromLiterals(std::vector<std::string> literals, CompileBudget& budget);

  uint32_t Next(uint32_t state, uint8_t byte) const {
    if (classes_ != 0) return table_[state * classes_ + class_of_[byte]];
    for (uint32_t i = first_edge_[state]; i < first_edge_[state + 1] && edges_[i].low <= byte; ++i) {
      if (byte <= edges_[i].high) return edges_[i].target;
    }
    return kDead;
  }
  bool Accepts(uint32_t state) const { return accepts_[state] != 0; }
  bool HasEdges(uint32_t state) const { return first_edge_[state] != first_edge_[state + 1]; }
  bool empty() const { return accepts_.empty(); }

 private:
  friend class ByteDfaBuilder;
  struct Edge {
    uint8_t low;
    uint8_t high;  // included
    uint32_t target;
  };
  // The same as the edges as a table, where that is small; classes_ is 0 where there is none.
  void MakeTable();
  static constexpr size_t kTableClassesMax = 32;
  static constexpr size_t kTableStatesMax = 8192;

  size_t classes_ = 0;
  std::array<uint8_t, 256> class_of_ = {};  // bytes that no state tells apart
  std::vector<uint32_t> table_;             // by state and class
  std::vector<uint32_t> first_edge_;        // by state, one more than there are
  std::vector<Edge> edges_;                 // of one state: sorted, disjoint
  std::vector<char> accepts_;
};

}  // namespace enigma::engine
