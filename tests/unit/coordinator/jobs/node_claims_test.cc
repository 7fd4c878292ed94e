#include "coordinator/jobs/node_claims.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace enigma::coordinator {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr absl::Duration kNow = absl::Seconds(100);

TEST(NodeClaimsTest, ANodeIsOneJobsUntilThatGivesItUp) {
  NodeClaims claims;
  EXPECT_TRUE(claims.Take(1, "a", kNow));
  EXPECT_TRUE(claims.Take(1, "a", kNow)) << "again";
  EXPECT_TRUE(claims.Take(1, "b", kNow));
  EXPECT_FALSE(claims.Take(2, "a", kNow));
  EXPECT_TRUE(claims.Take(2, "c", kNow));
  EXPECT_THAT(claims.OfOthers(2), ElementsAre("a", "b"));
  EXPECT_THAT(claims.OfOthers(1), ElementsAre("c"));
  claims.Keep(1, {"b", "c"});
  EXPECT_TRUE(claims.Take(2, "a", kNow));
  EXPECT_FALSE(claims.Take(2, "b", kNow));
  EXPECT_FALSE(claims.Take(1, "c", kNow)) << "to keep is not to take";
  claims.Keep(2, {});
  EXPECT_THAT(claims.OfOthers(1), IsEmpty());
  EXPECT_THAT(claims.OfOthers(3), ElementsAre("b"));
}

TEST(NodeClaimsTest, WhoHasNoneGoesBeforeWhoHasSome) {
  NodeClaims claims;
  claims.Want(1, {.has_members = true, .priority = 9}, {"a", "b"}, kNow);
  claims.Want(2, {.has_members = false}, {"a"}, kNow);
  const absl::Duration later = kNow + NodeClaims::kPatience;
  EXPECT_FALSE(claims.Take(1, "a", later)) << "the other one has nothing yet";
  EXPECT_TRUE(claims.Take(1, "b", later)) << "which that one does not want";
  EXPECT_TRUE(claims.Take(2, "a", later));
}

TEST(NodeClaimsTest, ThenPriorityAndAgeDecide) {
  NodeClaims claims;
  claims.Want(1, {.priority = 0, .submitted_unix_ms = 1}, {"a", "b"}, kNow);
  claims.Want(2, {.priority = 0, .submitted_unix_ms = 2}, {"a", "b"}, kNow);
  claims.Want(3, {.priority = 1, .submitted_unix_ms = 3}, {"a"}, kNow);
  const absl::Duration later = kNow + NodeClaims::kPatience;
  EXPECT_FALSE(claims.Take(1, "a", later));
  EXPECT_FALSE(claims.Take(2, "b", later));
  EXPECT_TRUE(claims.Take(1, "b", later));
  EXPECT_TRUE(claims.Take(3, "a", later));
  claims.Want(2, {.priority = 0, .submitted_unix_ms = 2}, {"b"}, later);
  claims.End(1);
  claims.End(3);
  EXPECT_TRUE(claims.Take(2, "b", later)) << "nobody goes before it any more";
}

TEST(NodeClaimsTest, TheEarlierOnesAreGivenTimeToSayThatTheyWantIt) {
  NodeClaims claims;
  claims.Want(1, {.submitted_unix_ms = 1}, {}, kNow);  // does not know of the node yet
  claims.Want(2, {.submitted_unix_ms = 2}, {"new"}, kNow);
  EXPECT_FALSE(claims.Take(2, "new", kNow));
  EXPECT_TRUE(claims.Take(2, "new", kNow + NodeClaims::kPatience));
  claims.Want(1, {.submitted_unix_ms = 1}, {"other"}, kNow);
  EXPECT_TRUE(claims.Take(1, "other", kNow)) << "the first waits for nobody";
}

}  // namespace
}  // namespace enigma::coordinator
