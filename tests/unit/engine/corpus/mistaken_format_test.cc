#include "engine/corpus/mistaken_format.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace enigma::engine {
namespace {

using ::testing::HasSubstr;

std::string PairsOfText(int count) {
  std::string text;
  for (int i = 0; i < count; ++i) text += "Q: what is " + std::to_string(i) + "?\nA: a number\n\n";
  return text;
}

TEST(MistakenFormat, QuestionsBehindATitle) {
  const auto doubt = DoubtThatItIsText("faq.txt", "Frequent questions\n\n" + PairsOfText(3));
  ASSERT_TRUE(doubt.has_value());
  EXPECT_THAT(*doubt, HasSubstr("faq.txt"));
  EXPECT_THAT(*doubt, HasSubstr("3 of its lines"));
  EXPECT_FALSE(DoubtThatItIsText("play.txt", "A dialogue\n" + PairsOfText(2)));
}

TEST(MistakenFormat, LabelsBeforeATab) {
  std::string requests;
  for (int i = 0; i < 20; ++i) requests += (i % 2 ? "code\tsort " : "math\tadd ") + std::to_string(i) + "\n";
  const auto doubt = DoubtThatItIsText("requests.tsv", requests);
  ASSERT_TRUE(doubt.has_value());
  EXPECT_THAT(*doubt, HasSubstr("2 labels"));
  EXPECT_THAT(*doubt, HasSubstr("\"router\""));
  EXPECT_FALSE(DoubtThatItIsText("requests.tsv", requests + std::string("free text\n") + "and more\n" + "of it\n"));
}

TEST(MistakenFormat, ATableOfWordsIsText) {
  std::string words;
  for (int i = 0; i < 40; ++i) words += "word" + std::to_string(i) + "\tits meaning\n";
  EXPECT_FALSE(DoubtThatItIsText("words.tsv", words));
  EXPECT_FALSE(DoubtThatItIsText("empty.txt", ""));
}

}  // namespace
}  // namespace enigma::engine
