#include "engine/text/constraint/mark_automaton.h"

namespace enigma::engine {

MarkAutomaton::MarkAutomaton(const std::vector<std::string>& marks) : nodes_(1) {
  for (size_t i = 0; i < marks.size(); ++i) {
    size_t at = 0;
    for (const char c : marks[i]) {
      const auto byte = static_cast<uint8_t>(c);
      if (nodes_[at].next[byte] == 0) {
        nodes_[at].next[byte] = static_cast<uint32_t>(nodes_.size());
        nodes_.emplace_back();
      }
      at = nodes_[at].next[byte];
    }
    nodes_[at].mark = i;
  }
  // Nodes by depth; what a node does not know goes on where its longest proper ending does.
  std::vector<uint32_t> shorter(nodes_.size(), 0);
  std::vector<uint32_t> order = {0};
  for (size_t i = 0; i < order.size(); ++i) {
    const uint32_t at = order[i];
    if (nodes_[at].mark == kNone) nodes_[at].mark = nodes_[shorter[at]].mark;
    for (size_t byte = 0; byte < 256; ++byte) {
      const uint32_t elsewhere = at == 0 ? 0 : nodes_[shorter[at]].next[byte];
      uint32_t& next = nodes_[at].next[byte];
      if (next == 0) {
        next = elsewhere;
      } else {
        shorter[next] = elsewhere;
        order.push_back(next);
      }
    }
  }
}

}  // namespace enigma::engine
