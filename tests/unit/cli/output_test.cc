#include <gtest/gtest.h>

#include "cli/output/format.h"
#include "cli/output/progress.h"
#include "cli/up/restart_policy.h"

namespace enigma::cli {
namespace {

TEST(FormatTest, QuantitiesHaveUnits) {
  EXPECT_EQ(FormatBytes(0), "0 B");
  EXPECT_EQ(FormatBytes(1023), "1023 B");
  EXPECT_EQ(FormatBytes(1536), "1.50 KiB");
  EXPECT_EQ(FormatBytes(uint64_t{3} << 30), "3.00 GiB");
  EXPECT_EQ(FormatCount(999), "999");
  EXPECT_EQ(FormatCount(1100048384), "1.10 B");
  EXPECT_EQ(FormatSeconds(0.0000012), "1 us");
  EXPECT_EQ(FormatSeconds(0.0123), "12.3 ms");
  EXPECT_EQ(FormatSeconds(2), "2.00 s");
}

TEST(FormatTest, ColumnsFitTheirWidestCell) {
  Table table({"NAME", "SIZE"}, {1});
  table.AddRow({"a", "10"});
  table.AddRow({"längst", "7"});
  EXPECT_EQ(table.Render(), "NAME    SIZE\na         10\nlängst     7\n");
}

TEST(ProgressTest, TheLineShowsTheShareAndFitsTheTerminal) {
  const std::string half = ProgressLine("loading", 50, 100, "fetching", 80);
  EXPECT_NE(half.find("###############..............."), std::string::npos);
  EXPECT_NE(half.find(" 50%"), std::string::npos);
  EXPECT_NE(half.find("fetching"), std::string::npos);
  EXPECT_EQ(ProgressLine("loading", 50, 100, "fetching", 20).size(), 19U);
  EXPECT_EQ(ProgressLine("waiting", 0, 0, "", 80), "waiting");
  EXPECT_NE(ProgressLine("x", 200, 100, "", 80).find("100%"), std::string::npos);
}

TEST(RestartPolicyTest, WaitsLongerUntilAWorkerLastsAMinute) {
  RestartPolicy policy;
  absl::Time now = absl::UnixEpoch();
  for (const int seconds : {1, 2, 4, 8, 16, 30, 30}) {
    policy.Started(now);
    now += absl::Seconds(5);
    EXPECT_EQ(policy.Ended(now) - now, absl::Seconds(seconds));
  }
  policy.Started(now);
  now += absl::Minutes(2);
  EXPECT_EQ(policy.Ended(now) - now, absl::Seconds(1));
}

}  // namespace
}  // namespace enigma::cli
