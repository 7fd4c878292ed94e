#include "telemetry/log.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace enigma {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(Log, LevelsHoldBackWhatIsBelowThem) {
  testing::internal::CaptureStderr();
  ASSERT_TRUE(SetLogLevel("warning").ok());
  SetLogName("worker 100%d");
  LogInfo("quiet {}", 1);
  LogWarn("loud {} {}", 2, "words");
  LogError("braces {} stay", "{}");
  ASSERT_TRUE(SetLogLevel("info").ok());
  SetLogName("");
  const std::string text = testing::internal::GetCapturedStderr();
  EXPECT_THAT(text, Not(HasSubstr("quiet")));
  EXPECT_THAT(text, HasSubstr("W worker 100%d: loud 2 words\n"));
  EXPECT_THAT(text, HasSubstr("E worker 100%d: braces {} stay\n"));
}

TEST(Log, AnUnknownLevelIsAnErrorThatListsTheLevels) {
  const absl::Status status = SetLogLevel("noisy");
  ASSERT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(Describe(status), HasSubstr("debug, info, warning, error or off"));
}

}  // namespace
}  // namespace enigma
