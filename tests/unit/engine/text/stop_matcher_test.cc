#include "engine/text/stop_matcher.h"

#include <gtest/gtest.h>

namespace enigma::engine {
namespace {

// Everything that is shown when `text` arrives in pieces of `size` bytes, and whether it stopped.
std::pair<std::string, bool> Shown(const std::vector<std::string>& stops, const std::string& text, size_t size) {
  StopMatcher matcher(stops);
  std::string shown;
  for (size_t at = 0; at < text.size(); at += size) {
    const StopMatcher::Result result = matcher.Add(std::string_view(text).substr(at, size));
    shown += result.text;
    if (result.stopped) return {shown, true};
  }
  return {shown + matcher.Finish(), false};
}

TEST(StopMatcher, EndsBeforeTheStopHoweverTheTextIsCut) {
  const struct {
    std::vector<std::string> stops;
    std::string text;
    std::string shown;
    bool stopped;
  } cases[] = {
      {{}, "anything", "anything", false},
      {{"", "END"}, "some END more", "some ", true},
      {{"END"}, "some EN more E", "some EN more E", false},
      {{"aab"}, "aaaab!", "aa", true},
      {{"\n\n", "User:"}, "one\ntwo User: three", "one\ntwo ", true},
      {{"abcd", "bc"}, "abcd", "a", true},    // the one complete first
      {{"bcd", "abcd"}, "xabcd", "x", true},  // complete at once: the longest
      {{"é"}, "caf\xC3\xA9 au lait", "caf", true},
      {{"abab"}, "aababab", "a", true},
  };
  for (const auto& c : cases) {
    for (size_t size = 1; size <= c.text.size(); ++size) {
      const auto [shown, stopped] = Shown(c.stops, c.text, size);
      EXPECT_EQ(shown, c.shown) << c.text << " by " << size;
      EXPECT_EQ(stopped, c.stopped) << c.text << " by " << size;
    }
  }
}

TEST(StopMatcher, ShowsEverythingThatCannotBeginAStop) {
  StopMatcher matcher({"</s>"});
  EXPECT_EQ(matcher.Add("a <").text, "a ");
  EXPECT_EQ(matcher.Add("b").text, "<b");
  EXPECT_EQ(matcher.Add(" </").text, " ");
  EXPECT_EQ(matcher.Finish(), "</");
}

TEST(StopMatcher, StaysStopped) {
  StopMatcher matcher({"x"});
  EXPECT_TRUE(matcher.Add("abxcd").stopped);
  const StopMatcher::Result later = matcher.Add("more");
  EXPECT_TRUE(later.stopped);
  EXPECT_EQ(later.text, "");
  EXPECT_EQ(matcher.Finish(), "");
}

}  // namespace
}  // namespace enigma::engine
