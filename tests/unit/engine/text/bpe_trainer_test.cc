#include "engine/text/bpe_trainer.h"

#include <map>
#include <random>
#include <set>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/text.h"

namespace enigma::engine {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

using BytePair = std::pair<std::string, std::string>;

LearnedVocabulary Train(const WordCounts& words, BpeTrainerOptions options) {
  auto made = TrainBpe(words, options);
  EXPECT_TRUE(made.ok()) << made.status();
  return made.ok() ? *std::move(made) : LearnedVocabulary{};
}

std::vector<BytePair> MergedBytes(const LearnedVocabulary& vocabulary) {
  std::vector<BytePair> merged;
  for (const auto& merge : vocabulary.merges) {
    merged.emplace_back(vocabulary.tokens[merge.left], vocabulary.tokens[merge.right]);
  }
  return merged;
}

// The definition itself: count every pair anew, take the best, replace it from left to right.
std::vector<BytePair> MergesByDefinition(const WordCounts& words, size_t merges_max, uint64_t count_min) {
  std::map<std::string, std::vector<std::string>> rows;
  for (const auto& [word, count] : words) {
    for (const char byte : word) rows[word].emplace_back(1, byte);
  }
  std::vector<BytePair> merges;
  while (merges.size() < merges_max) {
    std::map<BytePair, uint64_t> counts;
    for (const auto& [word, row] : rows) {
      for (size_t i = 0; i + 1 < row.size(); ++i) counts[{row[i], row[i + 1]}] += words.at(word);
    }
    const BytePair* best = nullptr;
    uint64_t best_count = 0;
    for (const auto& [pair, count] : counts) {  // ascending, so of equal counts the greatest pair stays
      if (count >= best_count) best = &pair, best_count = count;
    }
    if (best == nullptr || best_count < count_min) break;
    merges.push_back(*best);
    for (auto& [word, row] : rows) {
      std::vector<std::string> merged;
      for (size_t i = 0; i < row.size(); ++i) {
        const bool here = i + 1 < row.size() && row[i] == best->first && row[i + 1] == best->second;
        merged.push_back(here ? row[i] + row[i + 1] : row[i]);
        if (here) ++i;
      }
      row = std::move(merged);
    }
  }
  return merges;
}

TEST(BpeTrainer, BeginsWithTheBytesInGpt2sOrder) {
  const LearnedVocabulary made = Train({{"a", 1}}, {.token_count = 300});
  ASSERT_EQ(made.tokens.size(), 256u);
  EXPECT_TRUE(made.merges.empty());
  EXPECT_EQ(made.tokens[0], "!");
  EXPECT_EQ(made.tokens[93], "~");
  EXPECT_EQ(made.tokens[94], "\xA1");
  EXPECT_EQ(made.tokens[188], std::string(1, '\0')) << "written U+0100";
  EXPECT_EQ(made.tokens[188 + 32], " ") << "written U+0120";
  EXPECT_EQ(std::set<std::string>(made.tokens.begin(), made.tokens.end()).size(), 256u);
}

TEST(BpeTrainer, TakesTheMostFrequentPairAndOfEqualOnesTheGreater) {
  // The example of the paper: "es" and "st" occur nine times each, and "st" is greater.
  const WordCounts words = {{"low", 5}, {"lower", 2}, {"widest", 3}, {"newest", 6}};
  const LearnedVocabulary made = Train(words, {.token_count = 256 + 6});
  EXPECT_THAT(MergedBytes(made), ElementsAre(BytePair("s", "t"), BytePair("e", "st"), BytePair("o", "w"),
                                             BytePair("l", "ow"), BytePair("w", "est"), BytePair("n", "e")));
  EXPECT_EQ(made.tokens.back(), "ne");
  EXPECT_EQ(made.tokens[257], "est");
}

TEST(BpeTrainer, ComparesBytesAsUnsignedAndTheLeftTokenFirst) {
  EXPECT_THAT(MergedBytes(Train({{"az", 2}, {"\xC3\xA9", 2}}, {.token_count = 257})),
              ElementsAre(BytePair("\xC3", "\xA9")));
  // As joined bytes "bab" is less than "bb", as pairs ("ba", "b") is greater than ("b", "b").
  EXPECT_THAT(MergedBytes(Train({{"ba", 9}, {"bab", 3}, {"bb", 3}}, {.token_count = 258})),
              ElementsAre(BytePair("b", "a"), BytePair("ba", "b")));
}

TEST(BpeTrainer, MergesRunsFromLeftToRight) {
  // Seven letters: six overlapping pairs; "aa" "aa" "aa" "a" then.
  const LearnedVocabulary made = Train({{"aaaaaaa", 2}}, {.token_count = 260});
  EXPECT_THAT(MergedBytes(made),
              ElementsAre(BytePair("a", "a"), BytePair("aa", "aa"), BytePair("aaaa", "aa"), BytePair("aaaaaa", "a")));
}

TEST(BpeTrainer, IsTheDefinitionOnRandomWords) {
  std::mt19937 random(7);
  for (int round = 0; round < 60; ++round) {
    WordCounts words;
    const size_t letters = 1 + random() % 4;
    for (size_t distinct = 1 + random() % 40; distinct > 0; --distinct) {
      std::string word;
      for (size_t length = 1 + random() % 24; length > 0; --length) {
        word.push_back(static_cast<char>(0x7E + random() % letters));  // on both sides of the sign bit
      }
      words[word] += 1 + random() % 5;
    }
    const uint64_t count_min = 1 + random() % 3;
    const auto expected = MergesByDefinition(words, 80, count_min);
    const LearnedVocabulary made = Train(words, {.token_count = 256 + 80, .pair_count_min = count_min});
    ASSERT_EQ(MergedBytes(made), expected) << "round " << round;
    EXPECT_EQ(std::set<std::string>(made.tokens.begin(), made.tokens.end()).size(), made.tokens.size());
    for (size_t i = 0; i < expected.size(); ++i) {
      EXPECT_EQ(made.tokens[256 + i], expected[i].first + expected[i].second);
    }
  }
}

TEST(BpeTrainer, StopsWhereTheTextGivesNoMore) {
  EXPECT_EQ(Train({{"abcd", 1}}, {.token_count = 1000}).tokens.size(), 256u) << "pairs seen once";
  EXPECT_EQ(Train({{"abcd", 1}}, {.token_count = 1000, .pair_count_min = 1}).tokens.size(), 259u);
  EXPECT_EQ(Train({{"abcd", 2}}, {.token_count = 1000, .token_bytes_max = 2}).tokens.size(), 258u);
  EXPECT_EQ(Train({{"abcd", 2}}, {.token_count = 256}).tokens.size(), 256u);
}

// One word of a million letters, and merges all over it: time must follow the places, not word length times merges.
TEST(BpeTrainer, TakesLongWordsInStride) {
  std::mt19937 random(1);
#ifdef ENIGMA_SANITIZED
  std::string word(100'000, ' ');
#else
  std::string word(1'000'000, ' ');
#endif
  for (char& letter : word) letter = "ACGT"[random() % 4];
  const LearnedVocabulary made = Train({{word, 1}}, {.token_count = 256 + 2000});
  EXPECT_EQ(made.merges.size(), 2000u);
}

TEST(BpeTrainer, TellsItsProgress) {
  std::vector<uint64_t> seen;
  Train({{"abcd", 2}}, {.token_count = 258, .progress = [&seen](uint64_t made, uint64_t wanted) {
                          EXPECT_EQ(wanted, 2u);
                          seen.push_back(made);
                        }});
  EXPECT_THAT(seen, ElementsAre(1, 2));
}

TEST(BpeTrainer, RefusesWhatCannotBe) {
  EXPECT_THAT(ToString(TrainBpe({{"a", 1}}, {.token_count = 255}).status().message()), HasSubstr("255"));
  EXPECT_THAT(ToString(TrainBpe({}, {.token_count = 300}).status().message()), HasSubstr("no text"));
}

}  // namespace
}  // namespace enigma::engine
