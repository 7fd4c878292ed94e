#include "engine/corpus/packing.h"

#include <algorithm>
#include <map>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/counter_random.h"
#include "tests/unit/engine/corpus/small_token_set.h"

namespace enigma::engine {
namespace {

using testing::SmallDocument;
using testing::SmallTokenSet;
using Part = TokenSet::Part;

// Every readable token once, no sequence too long, and the counts those of the pieces.
void ExpectSound(const TokenSet& set, Part part, const Packing& packing, uint32_t context) {
  std::map<uint32_t, std::vector<std::pair<uint64_t, uint64_t>>> by_document;
  uint64_t next = 0, tokens = 0, trained = 0;
  for (const Sequence& sequence : packing.sequences) {
    ASSERT_EQ(sequence.first_piece, next);
    ASSERT_GT(sequence.pieces, 0u);
    next += sequence.pieces;
    uint32_t in_sequence = 0, trained_in_sequence = 0;
    for (uint32_t p = 0; p < sequence.pieces; ++p) {
      const Piece& piece = packing.pieces[sequence.first_piece + p];
      by_document[piece.document].emplace_back(piece.begin, piece.begin + piece.count);
      in_sequence += piece.count;
      for (uint64_t i = 1; i <= piece.count; ++i) {
        trained_in_sequence += set.IsTrained(set.begin(piece.document) + piece.begin + i) ? 1 : 0;
      }
    }
    EXPECT_EQ(sequence.tokens, in_sequence);
    EXPECT_EQ(sequence.trained, trained_in_sequence);
    EXPECT_LE(in_sequence, context);
    EXPECT_GT(trained_in_sequence, 0u);
    tokens += in_sequence;
    trained += trained_in_sequence;
  }
  EXPECT_EQ(next, packing.pieces.size());
  EXPECT_EQ(packing.counts.tokens, tokens);
  EXPECT_EQ(packing.counts.trained, trained);
  EXPECT_EQ(trained, set.trained(part)) << "nothing that is to be learned is lost";
  for (auto& [document, pieces] : by_document) {
    EXPECT_GE(document, set.first_document(part));
    EXPECT_LT(document, set.first_document(part) + set.documents(part));
    std::sort(pieces.begin(), pieces.end());
    for (size_t i = 1; i < pieces.size(); ++i) EXPECT_GE(pieces[i].first, pieces[i - 1].second) << "read twice";
    EXPECT_LE(pieces.back().second, set.size(document) - 1);
  }
}

TEST(PackingTest, LongDocumentsAreCut) {
  const auto set = SmallTokenSet({{0, 26}});  // 25 can be read
  const Packing packing = PackDocuments(*set, Part::kTraining, 10, 1);
  ExpectSound(*set, Part::kTraining, packing, 10);
  EXPECT_EQ(packing.sequences.size(), 3u);
  EXPECT_EQ(packing.counts.tokens, 25u);
  EXPECT_EQ(packing.counts.cut_documents, 1u);
  EXPECT_NEAR(packing.counts.fill, 25.0 / 30, 1e-12);
}

TEST(PackingTest, ADocumentThatJustFitsIsNotCut) {
  const auto set = SmallTokenSet({{0, 11}});
  const Packing packing = PackDocuments(*set, Part::kTraining, 10, 1);
  EXPECT_EQ(packing.sequences.size(), 1u);
  EXPECT_EQ(packing.counts.cut_documents, 0u);
  EXPECT_DOUBLE_EQ(packing.counts.fill, 1);
}

TEST(PackingTest, PiecesGoWhereTheyFitBest) {
  // Readable: 7, 6, 4, 3, 2, 2 of 12. By best fit 7 + 4, 6 + 3 + 2, 2; first fit would put 4 and a 2 elsewhere.
  const auto set = SmallTokenSet({{0, 8}, {100, 7}, {200, 5}, {300, 4}, {400, 3}, {500, 3}});
  const Packing packing = PackDocuments(*set, Part::kTraining, 12, 1);
  ExpectSound(*set, Part::kTraining, packing, 12);
  std::vector<std::vector<uint32_t>> counts;
  for (const Sequence& sequence : packing.sequences) {
    counts.emplace_back();
    for (uint32_t p = 0; p < sequence.pieces; ++p) {
      counts.back().push_back(packing.pieces[sequence.first_piece + p].count);
    }
  }
  EXPECT_EQ(counts, (std::vector<std::vector<uint32_t>>{{7, 4}, {6, 3, 2}, {2}}));
}

TEST(PackingTest, PiecesWithNothingToLearnAreLeftOut) {
  // A prompt of 25 tokens and an answer of 5, in pieces of 10: only the last two predict any of it.
  const auto set = SmallTokenSet({{0, 30, 25}, {100, 1}, {200, 5, 5}});
  const Packing packing = PackDocuments(*set, Part::kTraining, 10, 1);
  ExpectSound(*set, Part::kTraining, packing, 10);
  ASSERT_EQ(packing.pieces.size(), 1u);
  EXPECT_EQ(packing.pieces[0].begin, 20u);
  EXPECT_EQ(packing.counts.trained, 5u);
  EXPECT_EQ(packing.counts.idle_pieces, 3u);
}

TEST(PackingTest, ManyDocumentsFillTheirSequences) {
  std::vector<SmallDocument> documents;
  for (uint32_t i = 0; i < 5000; ++i) {
    documents.push_back({static_cast<TokenId>(i), 2 + Philox({i, 0, 0, 0}, {1, 2})[0] % 90, 1 + i % 2});
  }
  const auto set = SmallTokenSet(documents, {{1, 50}, {2, 70}});
  for (const uint32_t context : {1u, 2u, 16u, 64u, 100u, 512u}) {
    const Packing packing = PackDocuments(*set, Part::kTraining, context, 1);
    ExpectSound(*set, Part::kTraining, packing, context);
    EXPECT_GT(packing.counts.fill, context >= 100 ? 0.99 : 0) << context;
    ExpectSound(*set, Part::kValidation, PackDocuments(*set, Part::kValidation, context, 1), context);
  }
}

TEST(PackingTest, TheSeedMixesDocumentsOfEqualLength) {
  const auto set = SmallTokenSet(std::vector<SmallDocument>(200, {0, 6}));
  const auto order = [&set](uint64_t seed) {
    std::vector<uint32_t> documents;
    for (const Piece& piece : PackDocuments(*set, Part::kTraining, 20, seed).pieces) {
      documents.push_back(piece.document);
    }
    return documents;
  };
  EXPECT_EQ(order(1), order(1));
  EXPECT_NE(order(1), order(2));
  EXPECT_FALSE(std::is_sorted(order(1).begin(), order(1).end()));
}

TEST(PackingTest, AnEmptyPartIsNoSequence) {
  const auto set = SmallTokenSet({{0, 5}});
  const Packing packing = PackDocuments(*set, Part::kValidation, 10, 1);
  EXPECT_TRUE(packing.sequences.empty());
  EXPECT_EQ(packing.counts.fill, 0);
}

}  // namespace
}  // namespace enigma::engine
