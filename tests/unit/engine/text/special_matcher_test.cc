#include "engine/text/special_matcher.h"

#include <gtest/gtest.h>

namespace enigma::engine {
namespace {

TEST(SpecialMatcher, WithoutTokensFindsNothing) {
  const SpecialMatcher matcher;
  EXPECT_FALSE(matcher.Find("anything", 0));
}

TEST(SpecialMatcher, TakesTheLeftmostAndOfThoseTheLongest) {
  SpecialMatcher matcher;
  matcher.Add("<a>", 1);
  matcher.Add("<a><b>", 2);
  matcher.Add("b>", 3);
  matcher.Add("", 4);

  auto match = matcher.Find("x<a><b>y", 0);
  ASSERT_TRUE(match);
  EXPECT_EQ(match->id, 2);
  EXPECT_EQ(match->begin, 1u);
  EXPECT_EQ(match->end, 7u);

  match = matcher.Find("x<a><b", 0);  // the longer one is not complete
  ASSERT_TRUE(match);
  EXPECT_EQ(match->id, 1);
  EXPECT_EQ(match->end, 4u);

  match = matcher.Find("x<a><b>y", 2);  // from inside the first
  ASSERT_TRUE(match);
  EXPECT_EQ(match->id, 3);
  EXPECT_FALSE(matcher.Find("x<a><b>y", 7));
}

TEST(SpecialMatcher, LongestRunsComeFirst) {
  SpecialMatcher matcher;
  matcher.Add("  ", 2);
  matcher.Add("    ", 4);
  const std::string_view text = "       ";  // 4 + 2 + 1
  auto match = matcher.Find(text, 0);
  ASSERT_TRUE(match);
  EXPECT_EQ(match->id, 4);
  match = matcher.Find(text, match->end);
  ASSERT_TRUE(match);
  EXPECT_EQ(match->id, 2);
  EXPECT_FALSE(matcher.Find(text, match->end));
}

TEST(SpecialMatcher, TheFirstIdOfATextStays) {
  SpecialMatcher matcher;
  matcher.Add("<a>", 1);
  matcher.Add("<a>", 2);
  EXPECT_EQ(matcher.Find("<a>", 0)->id, 1);
}

}  // namespace
}  // namespace enigma::engine
