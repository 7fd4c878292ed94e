#include "engine/text/merge_table.h"

#include <algorithm>

namespace enigma::engine {

void Merger::Consider(int32_t left) {
  if (left < 0 || symbols_[left].next < 0) return;
  const TokenId left_id = symbols_[left].id;
  const TokenId right_id = symbols_[symbols_[left].next].id;
  if (left_id < 0 || right_id < 0) return;
  const MergeTable::Merge* merge = table_.Find(left_id, right_id);
  if (merge == nullptr) return;
  heap_.push_back({merge->rank, left, left_id, right_id, merge->merged});
  std::push_heap(heap_.begin(), heap_.end());
}

void Merger::Apply(std::vector<TokenId>& ids) {
  constexpr TokenId kGone = -2;  // merged into its left neighbour
  if (ids.size() < 2) return;
  const auto count = static_cast<int32_t>(ids.size());
  symbols_.clear();
  heap_.clear();
  for (int32_t i = 0; i < count; ++i) symbols_.push_back({ids[i], i - 1, i + 1 < count ? i + 1 : -1});
  for (int32_t i = 0; i < count; ++i) Consider(i);

  while (!heap_.empty()) {
    std::pop_heap(heap_.begin(), heap_.end());
    const Candidate best = heap_.back();
    heap_.pop_back();
    Symbol& left = symbols_[best.left];
    // One of the two may have been merged with another neighbour since.
    if (left.id != best.left_id || left.next < 0 || symbols_[left.next].id != best.right_id) continue;
    Symbol& right = symbols_[left.next];
    left.id = best.merged;
    right.id = kGone;
    left.next = right.next;
    if (left.next >= 0) symbols_[left.next].previous = best.left;
    Consider(left.previous);
    Consider(best.left);
  }

  ids.clear();
  for (int32_t i = 0; i >= 0; i = symbols_[i].next) ids.push_back(symbols_[i].id);
}

}  // namespace enigma::engine
