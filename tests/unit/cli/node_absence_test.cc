#include <gtest/gtest.h>

#include "cli/doctor/cluster_checks.h"

namespace enigma::cli {
namespace {

v1::NodeInfo NodeIn(const std::string& state, int64_t age_ms) {
  v1::NodeInfo node;
  node.set_node_id("0123456789abcdef");
  node.set_host_name("box");
  node.set_state(state);
  node.set_last_seen_age_ms(age_ms);
  return node;
}

TEST(JudgeAbsenceTest, OnlyALateDeathIsAProblem) {
  EXPECT_FALSE(JudgeAbsence(NodeIn("ready", 100)).has_value());
  EXPECT_FALSE(JudgeAbsence(NodeIn("measuring", 100)).has_value());
  EXPECT_EQ(JudgeAbsence(NodeIn("dead", 60'000))->verdict, Verdict::kProblem);
  const auto long_dead = JudgeAbsence(NodeIn("dead", 11 * 60'000));
  EXPECT_EQ(long_dead->verdict, Verdict::kNote);
  EXPECT_NE(long_dead->advice.find("enigma nodes rm 0123456789abcdef"), std::string::npos) << long_dead->advice;
  EXPECT_EQ(JudgeAbsence(NodeIn("absent", -1))->verdict, Verdict::kNote);
}

}  // namespace
}  // namespace enigma::cli
