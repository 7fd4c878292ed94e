#include "engine/text/special_matcher.h"

namespace enigma::engine {

void SpecialMatcher::Add(std::string_view text, TokenId id) {
  if (text.empty()) return;
  uint32_t node = 0;
  for (const char c : text) {
    const auto byte = static_cast<uint8_t>(c);
    const auto [edge, added] = edges_.try_emplace(Edge(node, byte), static_cast<uint32_t>(token_of_node_.size()));
    if (added) {
      if (node == 0) from_root_[byte] = edge->second;
      token_of_node_.push_back(-1);
    }
    node = edge->second;
  }
  if (token_of_node_[node] < 0) token_of_node_[node] = id;
}

std::optional<SpecialMatcher::Match> SpecialMatcher::Find(std::string_view text, size_t from) const {
  if (edges_.empty()) return std::nullopt;
  for (size_t begin = from; begin < text.size(); ++begin) {
    uint32_t node = from_root_[static_cast<uint8_t>(text[begin])];
    if (node == 0) continue;
    std::optional<Match> longest;
    for (size_t end = begin + 1;; ++end) {
      if (token_of_node_[node] >= 0) longest = Match{begin, end, token_of_node_[node]};
      if (end == text.size()) break;
      const auto edge = edges_.find(Edge(node, static_cast<uint8_t>(text[end])));
      if (edge == edges_.end()) break;
      node = edge->second;
    }
    if (longest) return longest;
  }
  return std::nullopt;
}

}  // namespace enigma::engine
