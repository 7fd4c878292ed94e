#include "engine/corpus/near_duplicates.h"

#include <deque>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/counter_random.h"

namespace enigma::engine {
namespace {

std::string Word(uint64_t text, uint64_t at) {
  return "w" + std::to_string(Philox({static_cast<uint32_t>(at), 0, static_cast<uint32_t>(text), 0}, {3, 4})[0] % 5000);
}

// A text of `words` words, of which `changed` are other words than those of the text of this number, spread out evenly.
std::string NumberedText(uint64_t number, size_t words, size_t changed = 0) {
  std::string text;
  for (size_t i = 0; i < words; ++i) {
    const bool other = changed > 0 && i % (words / changed) == words / changed / 2;
    text += other ? "changed" + std::to_string(i) : Word(number, i);
    text += i % 11 == 10 ? ".\n" : " ";
  }
  return text;
}

class Index {
 public:
  explicit Index(double share, size_t words_min = 20)
      : index_(share, words_min, [this](uint32_t id) { return texts_[id]; }) {}
  std::optional<uint32_t> FindOrAdd(const std::string& text) {
    texts_.push_back(text);
    return index_.FindOrAdd(texts_.back(), static_cast<uint32_t>(texts_.size() - 1));
  }

 private:
  std::deque<std::string> texts_;
  NearDuplicateIndex index_;
};

TEST(NearDuplicatesTest, ShinglesAreOfFiveWords) {
  const Shingles shingles = ShinglesOf("One two, three: four-five six");
  EXPECT_EQ(shingles.words, 6u);
  EXPECT_EQ(shingles.hashes.size(), 2u);
  EXPECT_EQ(ShinglesOf("one TWO three\nfour five; SIX!").hashes, shingles.hashes);
  EXPECT_NE(ShinglesOf("two one three four five six").hashes, shingles.hashes);
  EXPECT_NE(ShinglesOf("onetwo three four five six seven").hashes, shingles.hashes);
  EXPECT_EQ(ShinglesOf("a b c d").hashes.size(), 0u);
  EXPECT_EQ(ShinglesOf("a b c d e a b c d e").hashes.size(), 5u) << "the sixth is the first";
  EXPECT_EQ(ShinglesOf("これは文です").words, 6u) << "each character for itself";
  EXPECT_EQ(ShinglesOf("naïve été").words, 2u);
  EXPECT_DOUBLE_EQ(JaccardShare(shingles, ShinglesOf("one two three four five seven")), 1.0 / 3);
  EXPECT_DOUBLE_EQ(JaccardShare({}, {}), 0);
}

TEST(NearDuplicatesTest, FewChangedWordsAreFoundManyAreNot) {
  // A changed word changes five 5-grams: of 400 words, share (396 - 5c) / (396 + 5c).
  for (uint64_t number = 0; number < 50; ++number) {
    Index index(0.9);
    EXPECT_EQ(index.FindOrAdd(NumberedText(number, 400)), std::nullopt);
    EXPECT_EQ(index.FindOrAdd(NumberedText(number + 1000, 400)), std::nullopt);
    EXPECT_EQ(index.FindOrAdd(NumberedText(number, 400, 2)), 0u) << number;            // 0.95
    EXPECT_EQ(index.FindOrAdd(NumberedText(number, 400, 4)), 0u) << number;            // 0.904
    EXPECT_EQ(index.FindOrAdd(NumberedText(number, 400, 5)), std::nullopt) << number;  // 0.88
    EXPECT_EQ(index.FindOrAdd(NumberedText(number + 1000, 400, 1)), 1u) << number;
  }
}

TEST(NearDuplicatesTest, OtherSharesAreKeptToAsWell) {
  int found = 0;
  for (uint64_t number = 0; number < 100; ++number) {
    Index index(0.5);
    EXPECT_EQ(index.FindOrAdd(NumberedText(number, 400)), std::nullopt);
    EXPECT_EQ(index.FindOrAdd(NumberedText(number, 400, 30)), std::nullopt);  // 0.45
    found += index.FindOrAdd(NumberedText(number, 400, 25)) == 0u ? 1 : 0;    // 0.52
  }
  EXPECT_GE(found, 97);
  Index index(1);
  EXPECT_EQ(index.FindOrAdd(NumberedText(1, 400)), std::nullopt);
  EXPECT_EQ(index.FindOrAdd(NumberedText(1, 400, 1)), std::nullopt);
  EXPECT_EQ(index.FindOrAdd("  " + NumberedText(1, 400)), 0u);
}

// A form that everybody fills in another way: share 0.87, so nearly every text is a candidate for every other.
TEST(NearDuplicatesTest, ManyTextsThatAreMuchAlikeAreComparedWithFew) {
  const auto filled_in = [](uint32_t id) { return NumberedText(1, 300) + NumberedText(id + 10, 22); };
  size_t compared = 0;
  NearDuplicateIndex index(0.9, 20, [&](uint32_t id) {
    ++compared;
    return filled_in(id);
  });
  for (uint32_t id = 0; id < 500; ++id) EXPECT_EQ(index.FindOrAdd(filled_in(id), id), std::nullopt);
  EXPECT_GT(compared, 500u);
  EXPECT_LE(compared, 2000u);
  EXPECT_EQ(index.FindOrAdd(filled_in(77), 1000), 77u) << "the most similar one is among those compared";
}

TEST(NearDuplicatesTest, ShortTextsAreLeftAlone) {
  Index index(0.9, 50);
  EXPECT_EQ(index.FindOrAdd(NumberedText(1, 49)), std::nullopt);
  EXPECT_EQ(index.FindOrAdd(NumberedText(1, 49)), std::nullopt);
  EXPECT_EQ(index.FindOrAdd(NumberedText(1, 50)), std::nullopt);
  EXPECT_EQ(index.FindOrAdd(NumberedText(1, 50)), 2u);
  Index any(0.9, 0);
  EXPECT_EQ(any.FindOrAdd("a b c d"), std::nullopt);
  EXPECT_EQ(any.FindOrAdd("a b c d"), std::nullopt) << "there is no 5-gram to compare";
}

}  // namespace
}  // namespace enigma::engine
