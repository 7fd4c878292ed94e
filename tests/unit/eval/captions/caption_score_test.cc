#include "eval/captions/caption_score.h"

#include <gtest/gtest.h>

namespace enigma::eval {
namespace {

TEST(CaptionScoreTest, CountsWhatIsRightWordForWordAndByItsNoun) {
  CaptionScore score;
  EXPECT_EQ(score.exact_share(), 0);
  score.Add("a", "a photo of a cat", {"a photo of a cat"});
  score.Add("b", "the cat", {"a dog", "a photo of a cat"});
  score.Add("c", "a photo of a cat", {"a photo of a dog"});
  score.Add("d", "", {"a photo of a dog"});
  EXPECT_EQ(score.pictures, 4U);
  EXPECT_EQ(score.exact_share(), 0.25);
  EXPECT_EQ(score.last_word_share(), 0.5);
  ASSERT_EQ(score.wrong.size(), 3U);
  EXPECT_EQ(score.wrong[0].image, "b");
  EXPECT_EQ(score.wrong[0].said, "the cat");
  EXPECT_EQ(score.wrong[0].right, "a dog");
}

TEST(CaptionScoreTest, ShowsTheFirstMistakesAlone) {
  CaptionScore score;
  for (int i = 0; i < 50; ++i) score.Add(std::to_string(i), "x", {"y"});
  ASSERT_EQ(score.wrong.size(), kWrongCaptionsMax);
  EXPECT_EQ(score.wrong.back().image, "9");
}

}  // namespace
}  // namespace enigma::eval
