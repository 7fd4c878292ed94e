#include "coordinator/operations/absolute_path.h"

#include <filesystem>

#include <gtest/gtest.h>

namespace enigma::coordinator {
namespace {

TEST(AbsolutePathTest, StartsWhereTheProgramRunsAndChangesNothingElse) {
  const std::string here = std::filesystem::current_path().string();
  EXPECT_EQ(AbsolutePath("a/b.gguf"), here + "/a/b.gguf");
  EXPECT_EQ(AbsolutePath("../b.gguf"), here + "/../b.gguf") << "where .. leads depends on links";
  EXPECT_EQ(AbsolutePath("/a/./b.gguf"), "/a/./b.gguf");
  EXPECT_EQ(AbsolutePath(""), "") << "what was not given";
}

}  // namespace
}  // namespace enigma::coordinator
