#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace enigma::engine {

// Which of some marks a text has just completed, and how much of one it ends with, after each of its bytes (Aho and
// Corasick, "Efficient string matching", 1975). Immutable.
class MarkAutomaton {
 public:
  static constexpr size_t kNone = ~size_t{0};

  // None of `marks` is empty.
  explicit MarkAutomaton(const std::vector<std::string>& marks);

  size_t size() const { return nodes_.size(); }  // the root is 0
  size_t Next(size_t node, uint8_t byte) const { return nodes_[node].next[byte]; }
  // The longest mark that is complete at `node`, or kNone.
  size_t Complete(size_t node) const { return nodes_[node].mark; }

 private:
  struct Node {
    std::array<uint32_t, 256> next = {};
    size_t mark = kNone;
  };
  std::vector<Node> nodes_;
};

}  // namespace enigma::engine
