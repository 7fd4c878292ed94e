#include "coordinator/gateway/audit.h"

#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "base/counter_random.h"

namespace enigma::coordinator {
namespace {

using nlohmann::json;

class AuditTest : public ::testing::Test {
 protected:
  void SetUp() override { std::filesystem::create_directories(folder_); }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::vector<json> Lines() const {
    std::vector<json> lines;
    std::ifstream in(path_);
    for (std::string line; std::getline(in, line);) lines.push_back(json::parse(line));
    return lines;
  }

  const std::string folder_ = ::testing::TempDir() + "enigma-audit-" + std::to_string(SystemRandom64());
  const std::string path_ = folder_ + "/audit.log";
};

TEST_F(AuditTest, OneLineForEachActInAFileOfTheOwnersOwn) {
  {
    const auto log = AuditLog::Open(path_, Clock::System());
    ASSERT_TRUE(log.ok()) << log.status();
    (*log)->Record({"n1", "admin", "ipv4:10.0.0.2:5123", "keys.create", "0123 (ci)", absl::OkStatus()});
    (*log)->Record({"", "unproved", "ipv4:127.0.0.1:1", "load", "a\nb\xff", absl::NotFoundError("no model 'a'")});
  }
  struct stat about {};
  ASSERT_EQ(stat(path_.c_str(), &about), 0);
  EXPECT_EQ(about.st_mode & 0777, 0600u);
  const std::vector<json> lines = Lines();
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(lines[0]["node_id"], "n1");
  EXPECT_EQ(lines[0]["role"], "admin");
  EXPECT_EQ(lines[0]["peer"], "ipv4:10.0.0.2:5123");
  EXPECT_EQ(lines[0]["act"], "keys.create");
  EXPECT_EQ(lines[0]["object"], "0123 (ci)");
  EXPECT_EQ(lines[0]["outcome"], "ok");
  const std::string time = lines[0]["time"];
  EXPECT_EQ(time.size(), std::string("2026-11-21T10:00:00.000Z").size()) << time;
  EXPECT_EQ(time.back(), 'Z');
  EXPECT_EQ(lines[1]["outcome"], "NOT_FOUND: no model 'a'");
}

TEST_F(AuditTest, ARestartAppendsAndAFileMovedAwayIsMadeAnew) {
  for (int i = 0; i < 2; ++i) {
    const auto log = AuditLog::Open(path_, Clock::System());
    ASSERT_TRUE(log.ok());
    (*log)->Record({"n", "admin", "p", "unload", "m", absl::OkStatus()});
    EXPECT_EQ(Lines().size(), static_cast<size_t>(i) + 1);
  }
  const auto log = AuditLog::Open(path_, Clock::System());
  ASSERT_TRUE(log.ok());
  std::filesystem::rename(path_, path_ + ".1");
  (*log)->Record({"n", "admin", "p", "unload", "m", absl::OkStatus()});
  EXPECT_EQ(Lines().size(), 1u);
}

TEST_F(AuditTest, WhereItCannotBeWrittenIsSaidAtTheStart) {
  const auto log = AuditLog::Open(folder_ + "/none/audit.log", Clock::System());
  ASSERT_FALSE(log.ok());
  EXPECT_NE(log.status().ToString().find(folder_ + "/none/audit.log"), std::string::npos) << log.status();
}

}  // namespace
}  // namespace enigma::coordinator
