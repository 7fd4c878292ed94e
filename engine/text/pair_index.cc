#include "engine/text/pair_index.h"

#include <array>
#include <utility>

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>

#include "engine/text/learned_vocabulary.h"

namespace enigma::engine {

absl::StatusOr<PairIndex> PairIndex::Create(const WordCounts& words) {
  uint64_t bytes = 0;
  for (const auto& [word, count] : words) bytes += word.size();
  if (bytes >= kNone || words.size() >= kNone) {
    return absl::ResourceExhaustedError(absl::StrCat("the text's ", words.size(), " distinct words have ", bytes,
                                                     " bytes together; at most ", kNone - 1, " are supported"));
  }
  PairIndex made;
  made.symbols_.reserve(bytes);
  made.word_counts_.reserve(words.size());
  const std::array<TokenId, kByteTokenCount> byte_ids = ByteTokenIds();
  std::vector<TokenPair> ignored;
  for (const auto& [word, count] : words) {
    const auto first = static_cast<uint32_t>(made.symbols_.size());
    const auto end = first + static_cast<uint32_t>(word.size());
    const auto number = static_cast<uint32_t>(made.word_counts_.size());
    made.word_counts_.push_back(count);
    for (uint32_t i = first; i < end; ++i) {
      const TokenId id = byte_ids[static_cast<uint8_t>(word[i - first])];
      made.symbols_.push_back({id, i == first ? kNone : i - 1, i + 1 == end ? kNone : i + 1, number});
      if (i > first) made.Put({made.symbols_[i - 1].id, id}, i - 1, ignored);
    }
  }
  return made;
}

uint64_t PairIndex::Count(TokenPair pair) const {
  const auto found = pairs_.find(pair);
  return found == pairs_.end() ? 0 : found->second.count;
}

std::vector<TokenPair> PairIndex::Pairs() const {
  std::vector<TokenPair> all;
  all.reserve(pairs_.size());
  for (const auto& [pair, occurrences] : pairs_) all.push_back(pair);
  return all;
}

void PairIndex::Put(TokenPair pair, uint32_t place, std::vector<TokenPair>& made) {
  const auto [found, added] = pairs_.try_emplace(pair);
  found->second.count += word_counts_[symbols_[place].word];
  found->second.places.push_back(place);
  if (added) made.push_back(pair);
}

void PairIndex::Remove(TokenPair pair, uint32_t word) {
  const auto found = pairs_.find(pair);
  if (found != pairs_.end()) found->second.count -= word_counts_[word];
}

void PairIndex::Merge(TokenPair pair, TokenId merged, std::vector<TokenPair>& made) {
  const auto found = pairs_.find(pair);
  if (found == pairs_.end()) return;
  const std::vector<uint32_t> places = std::move(found->second.places);
  pairs_.erase(found);
  for (const uint32_t place : places) {
    Symbol& left = symbols_[place];
    if (left.id != pair.left || left.next == kNone || symbols_[left.next].id != pair.right) continue;
    Symbol& right = symbols_[left.next];
    if (left.previous != kNone) Remove({symbols_[left.previous].id, left.id}, left.word);
    if (right.next != kNone) Remove({right.id, symbols_[right.next].id}, left.word);
    left.id = merged;
    right.id = kGone;
    left.next = right.next;
    if (left.next != kNone) symbols_[left.next].previous = place;
    if (left.previous != kNone) Put({symbols_[left.previous].id, merged}, left.previous, made);
    if (left.next != kNone) Put({merged, symbols_[left.next].id}, place, made);
  }
}

}  // namespace enigma::engine
