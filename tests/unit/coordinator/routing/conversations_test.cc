#include "coordinator/routing/conversations.h"

#include <string>

#include <gtest/gtest.h>

namespace enigma::coordinator {
namespace {

const Turn kAsk{false, "write a sort"};
const Turn kAnswer{true, "here"};
const Turn kMore{false, "now faster"};

constexpr absl::Duration kNow = absl::Seconds(1000);

TEST(Conversations, TheNextMessageIsOfTheConversationThatWasAnswered) {
  Conversations conversations({});
  conversations.Remember(ConversationKey("key a", {kAsk}), {"code", "coder"}, kNow);
  const auto earlier = EarlierKey("key a", {kAsk, kAnswer, kMore});
  ASSERT_TRUE(earlier);
  const auto found = conversations.Find(*earlier, kNow);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->task, "code");
  EXPECT_EQ(found->model, "coder");
  // What a tool gave follows the call, which is the assistant's.
  EXPECT_EQ(EarlierKey("key a", {kAsk, {true, "call"}, {false, "result"}}), earlier);
  EXPECT_FALSE(EarlierKey("key a", {kAsk, kMore}));
}

TEST(Conversations, OthersAreOthers) {
  const std::string mine = ConversationKey("key a", {kAsk, kAnswer, kMore});
  EXPECT_NE(mine, ConversationKey("key b", {kAsk, kAnswer, kMore}));
  EXPECT_NE(mine, ConversationKey("key a", {kAsk, {false, "here"}, kMore}));
  EXPECT_NE(mine, ConversationKey("key a", {kAsk, {true, "herenow"}, {false, " faster"}}));
}

TEST(Conversations, AreForgottenAfterAWhile) {
  Conversations conversations({.kept_max = 8, .keep = absl::Seconds(10)});
  conversations.Remember("a", {"t", "m"}, kNow);
  EXPECT_TRUE(conversations.Find("a", kNow + absl::Seconds(9)));
  EXPECT_FALSE(conversations.Find("a", kNow + absl::Seconds(10)));
  conversations.Remember("b", {"t", "m"}, kNow + absl::Seconds(10));
  EXPECT_EQ(conversations.size(), 1u) << "what is over goes when another comes";
}

TEST(Conversations, OnlyTheLatestAreKept) {
  Conversations conversations({.kept_max = 2});
  conversations.Remember("a", {"t", "1"}, kNow);
  conversations.Remember("b", {"t", "2"}, kNow);
  conversations.Remember("a", {"t", "3"}, kNow);
  conversations.Remember("c", {"t", "4"}, kNow);
  EXPECT_EQ(conversations.size(), 2u);
  EXPECT_FALSE(conversations.Find("b", kNow)) << "the oldest answer";
  EXPECT_EQ(conversations.Find("a", kNow)->model, "3");
  EXPECT_TRUE(conversations.Find("c", kNow));
}

}  // namespace
}  // namespace enigma::coordinator
