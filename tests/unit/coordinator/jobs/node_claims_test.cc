#include "coordinator/jobs/node_claims.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace enigma::coordinator {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(NodeClaimsTest, ANodeIsOneJobsUntilThatGivesItUp) {
  NodeClaims claims;
  EXPECT_TRUE(claims.Take(1, "a"));
  EXPECT_TRUE(claims.Take(1, "a")) << "again";
  EXPECT_TRUE(claims.Take(1, "b"));
  EXPECT_FALSE(claims.Take(2, "a"));
  EXPECT_TRUE(claims.Take(2, "c"));
  EXPECT_THAT(claims.OfOthers(2), ElementsAre("a", "b"));
  EXPECT_THAT(claims.OfOthers(1), ElementsAre("c"));
  claims.Keep(1, {"b", "c"});
  EXPECT_TRUE(claims.Take(2, "a"));
  EXPECT_FALSE(claims.Take(2, "b"));
  EXPECT_FALSE(claims.Take(1, "c")) << "to keep is not to take";
  claims.Keep(2, {});
  EXPECT_THAT(claims.OfOthers(1), IsEmpty());
  EXPECT_THAT(claims.OfOthers(3), ElementsAre("b"));
}

}  // namespace
}  // namespace enigma::coordinator
