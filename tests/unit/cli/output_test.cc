#include <fcntl.h>
#include <unistd.h>

#include <cstdio>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/text.h"
#include "cli/cluster/cluster_json.h"
#include "cli/command_line.h"
#include "cli/generation/generation.h"
#include "cli/output/format.h"
#include "cli/output/progress.h"
#include "cli/output/standard_output.h"
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

// Stdout leads to a device on which every write fails, until the end of the scope.
class FullOutput {
 public:
  FullOutput() : saved_(::dup(STDOUT_FILENO)) {
    std::fflush(stdout);
    const int full = ::open("/dev/full", O_WRONLY | O_CLOEXEC);
    EXPECT_GE(full, 0);
    ::dup2(full, STDOUT_FILENO);
    ::close(full);
  }
  ~FullOutput() {
    std::fflush(stdout);
    std::clearerr(stdout);
    ::dup2(saved_, STDOUT_FILENO);
    ::close(saved_);
  }

 private:
  const int saved_;
};

TEST(StandardOutputTest, WhatCouldNotBeWrittenIsAnError) {
  {
    const FullOutput full;
    EXPECT_FALSE(ShowNow("text"));
    const absl::Status status = FinishOutput();
    EXPECT_FALSE(status.ok());
    EXPECT_THAT(ToString(status.message()), ::testing::HasSubstr("standard output"));
  }
  EXPECT_TRUE(ShowNow(""));
  EXPECT_TRUE(FinishOutput().ok());
}

TEST(StandardOutputTest, EveryCommandFailsWhenItsResultIsLost) {
  for (std::vector<std::string> words : std::vector<std::vector<std::string>>{
           {"options"}, {"options", "--json"}, {"--help"}, {"up", "--help"}, {"--version"}}) {
    words.insert(words.begin(), "enigma");
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    int status = 0;
    ::testing::internal::CaptureStderr();
    {
      const FullOutput full;
      status = RunCommandLine(static_cast<int>(argv.size()), argv.data());
    }
    const std::string err = ::testing::internal::GetCapturedStderr();
    EXPECT_EQ(status, 1) << words[1];
    EXPECT_THAT(err, ::testing::HasSubstr("enigma: not all of the result could be written")) << words[1];
  }
}

TEST(GenerationJsonTest, ASpeedNeedsMoreThanOneStep) {
  GenerationResult result;
  result.timing = {.queue_seconds = 0, .first_token_seconds = 0.5, .total_seconds = 0.500001};
  for (const size_t tokens : {0, 1, 2}) {
    result.ids.assign(tokens, 1);
    EXPECT_TRUE(ToJson(result).at("timing").at("decode_tps").is_null()) << tokens;
  }
  result.ids.assign(3, 1);
  result.timing.total_seconds = 1.5;
  EXPECT_DOUBLE_EQ(ToJson(result).at("timing").at("decode_tps").get<double>(), 2);
  result.timing.total_seconds = result.timing.first_token_seconds;
  EXPECT_TRUE(ToJson(result).at("timing").at("decode_tps").is_null());
}

TEST(ClusterJsonTest, TheLastLayerIsTheLastOneWhereverPeopleReadIt) {
  v1::PlanReply plan;
  for (const auto& [first, behind] : std::vector<std::pair<uint32_t, uint32_t>>{{0, 2}, {2, 5}}) {
    v1::StagePlacement& stage = *plan.add_stages();
    stage.set_first_layer(first);
    stage.set_last_layer(behind);
  }
  const Json json = ToJson(plan);
  EXPECT_EQ(json.at("stages").at(0).at("last_layer"), 1);
  EXPECT_EQ(json.at("stages").at(1).at("first_layer"), 2);
  EXPECT_EQ(json.at("stages").at(1).at("last_layer"), 4);
  EXPECT_THAT(StageTable(plan.stages()),
              ::testing::AllOf(::testing::HasSubstr(" 0-1 "), ::testing::HasSubstr(" 2-4 ")));
  v1::StageStatus status;
  status.set_first_layer(2);
  status.set_last_layer(5);
  EXPECT_EQ(ToJson(status).at("last_layer"), 4);
  EXPECT_EQ(LayersText(status), "2-4");
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
