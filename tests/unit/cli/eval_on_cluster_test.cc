// What `enigma eval` finds of a model of the cluster is what it finds of its file.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/cluster/cluster.h"
#include "tests/support/test_data.h"

namespace enigma::testing {
namespace {

using ::testing::HasSubstr;

TEST(EvalOnClusterTest, AModelOfTheClusterIsJudgedAsItsFileIs) {
  ENIGMA_REQUIRE_DATA(model, "models/stories260K-f32.gguf");
  auto cluster = Cluster::StartWithWorkers(1);
  ASSERT_NE(cluster, nullptr);
  ASSERT_EQ(cluster->Enigma({"models", "import", model, "--name", "stories"}).status, 0) << cluster->Logs();
  ASSERT_EQ(cluster->Enigma({"load", "stories"}).status, 0) << cluster->Logs();
  const std::vector<std::string> math = {"eval", "math", "--count", "4", "--max-tokens", "12"};
  const auto judged = [&](const std::vector<std::string>& which) {
    std::vector<std::string> command = math;
    command.insert(command.end(), which.begin(), which.end());
    return cluster->Json(command);
  };
  const auto of_cluster = judged({"--model", "stories"});
  const auto of_file = judged({"--local", model});
  ASSERT_FALSE(of_cluster.is_null());
  ASSERT_FALSE(of_file.is_null());
  EXPECT_EQ(of_cluster.at("model"), "stories");
  EXPECT_EQ(of_cluster.at("form"), "qa");
  EXPECT_EQ(of_cluster.at("questions"), 4);
  EXPECT_EQ(of_cluster.at("results"), of_file.at("results"));

  const RunResult unknown = cluster->Enigma({"eval", "math", "--model", "nobody", "--count", "1", "--form", "qa"});
  EXPECT_EQ(unknown.status, 1);
  EXPECT_THAT(unknown.err, HasSubstr("nobody"));
}

}  // namespace
}  // namespace enigma::testing
