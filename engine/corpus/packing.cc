#include "engine/corpus/packing.h"

#include <algorithm>
#include <numeric>
#include <set>
#include <utility>

#include "engine/corpus/slot_order.h"

namespace enigma::engine {
namespace {

constexpr uint64_t kDocumentStream = ~uint64_t{0};  // no epoch has this number

// Pieces of one document, without those in which nothing is to be learned.
void CutDocument(const TokenSet& set, uint32_t document, uint32_t context, Packing& packing) {
  const uint64_t first = set.begin(document);
  const uint64_t readable = set.size(document) - 1;
  if (readable > context) ++packing.counts.cut_documents;
  for (uint64_t begin = 0; begin < readable; begin += context) {
    const auto count = static_cast<uint32_t>(std::min<uint64_t>(context, readable - begin));
    uint32_t trained = 0;
    for (uint64_t i = 1; i <= count; ++i) trained += set.IsTrained(first + begin + i) ? 1 : 0;
    if (trained == 0) {
      ++packing.counts.idle_pieces;
      continue;
    }
    packing.pieces.push_back({begin, document, count, trained});
    packing.counts.tokens += count;
    packing.counts.trained += trained;
  }
}

// The sequence that each piece goes to: of those with room for it the fullest, and of equally full ones the one that
// became so last. `room` gets what is left in every sequence.
std::vector<uint32_t> AssignBestFit(const std::vector<Piece>& pieces, uint32_t context, std::vector<uint32_t>& room) {
  std::vector<uint32_t> assigned(pieces.size());
  std::vector<std::vector<uint32_t>> with_room(context);  // sequences by what is left in them
  std::set<uint32_t> rooms;                               // of which there are any; never 0
  for (size_t i = 0; i < pieces.size(); ++i) {
    const auto fits = rooms.lower_bound(pieces[i].count);
    uint32_t sequence;
    if (fits == rooms.end()) {
      sequence = static_cast<uint32_t>(room.size());
      room.push_back(context);
    } else {
      std::vector<uint32_t>& same = with_room[*fits];
      sequence = same.back();
      same.pop_back();
      if (same.empty()) rooms.erase(fits);
    }
    assigned[i] = sequence;
    room[sequence] -= pieces[i].count;
    if (const uint32_t left = room[sequence]; left > 0) {
      if (with_room[left].empty()) rooms.insert(left);
      with_room[left].push_back(sequence);
    }
  }
  return assigned;
}

}  // namespace

Packing PackDocuments(const TokenSet& set, TokenSet::Part part, uint32_t context, uint64_t seed) {
  Packing packing;
  const uint64_t documents = set.documents(part);
  for (uint64_t i = 0; i < documents; ++i) {
    const uint64_t document = set.first_document(part) + PermutedIndex(i, documents, seed, kDocumentStream);
    CutDocument(set, static_cast<uint32_t>(document), context, packing);
  }
  std::vector<Piece>& pieces = packing.pieces;
  std::stable_sort(pieces.begin(), pieces.end(), [](const Piece& a, const Piece& b) { return a.count > b.count; });

  std::vector<uint32_t> room;
  const std::vector<uint32_t> assigned = AssignBestFit(pieces, context, room);
  // Pieces of a sequence are laid side by side, in the order in which they came to it.
  packing.sequences.resize(room.size());
  for (size_t i = 0; i < pieces.size(); ++i) {
    Sequence& sequence = packing.sequences[assigned[i]];
    ++sequence.pieces;
    sequence.tokens += pieces[i].count;
    sequence.trained += pieces[i].trained;
  }
  uint64_t next = 0;
  for (Sequence& sequence : packing.sequences) next = (sequence.first_piece = next) + sequence.pieces;
  std::vector<Piece> ordered(pieces.size());
  std::vector<uint32_t> placed(room.size());
  for (size_t i = 0; i < pieces.size(); ++i) {
    ordered[packing.sequences[assigned[i]].first_piece + placed[assigned[i]]++] = pieces[i];
  }
  pieces = std::move(ordered);
  if (!room.empty()) {
    const double all = static_cast<double>(room.size()) * context;
    packing.counts.fill = static_cast<double>(packing.counts.tokens) / all;
  }
  return packing;
}

}  // namespace enigma::engine
