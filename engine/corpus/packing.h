#pragma once

#include <cstdint>
#include <vector>

#include "engine/corpus/token_set.h"

namespace enigma::engine {

// Some tokens of a document that are read as one, without what stood before them. Token i of it predicts token i + 1 of
// the document, which is there even for the last: the last token of a document predicts nothing and is in no piece.
struct Piece {
  uint64_t begin;  // within the document
  uint32_t document;
  uint32_t count;    // at least 1, at most the context
  uint32_t trained;  // predictions that count
};

// What is computed as one row of a batch: pieces of documents, together at most the context.
struct Sequence {
  uint64_t first_piece;
  uint32_t pieces;
  uint32_t tokens;
  uint32_t trained;  // predictions that count
};

struct PackingCounts {
  uint64_t tokens = 0;         // that are read in one epoch
  uint64_t trained = 0;        // that are predicted and count
  uint64_t cut_documents = 0;  // longer than the context
  uint64_t idle_pieces = 0;    // left out, because nothing in them is to be learned
  double fill = 0;             // share of the sequences' room that is used
};

struct Packing {
  std::vector<Piece> pieces;
  std::vector<Sequence> sequences;
  PackingCounts counts;
};

// Documents of a part of the set, cut into pieces of at most `context` tokens and packed by best fit, the longest
// pieces first, equal ones in an order that `seed` decides. The same on every machine. Near-linear.
Packing PackDocuments(const TokenSet& set, TokenSet::Part part, uint32_t context, uint64_t seed);

}  // namespace enigma::engine
