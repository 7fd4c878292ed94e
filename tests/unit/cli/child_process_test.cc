#include "cli/up/child_process.h"

#include <signal.h>

#include <fstream>

#include <absl/time/clock.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/daemon/stop_signals.h"
#include "cli/daemon/token_file.h"
#include "tests/support/process.h"

namespace enigma::cli {
namespace {

using ::testing::HasSubstr;

std::string WaitForEnd(ChildProcess& child) {
  const absl::Time deadline = absl::Now() + absl::Seconds(30);
  std::string end;
  while ((end = child.PollEnd()).empty() && absl::Now() < deadline) absl::SleepFor(absl::Milliseconds(5));
  return end;
}

TEST(ChildProcessTest, TellsHowAChildEnded) {
  auto exits = ChildProcess::Start({"/bin/sh", "-c", "exit 3"});
  ASSERT_TRUE(exits.ok());
  EXPECT_EQ(WaitForEnd(*exits), "exit status 3");
  EXPECT_FALSE(exits->running());
  auto killed = ChildProcess::Start({"/bin/sleep", "60"});
  ASSERT_TRUE(killed.ok());
  EXPECT_EQ(killed->PollEnd(), "");
  killed->Signal(SIGTERM);
  EXPECT_THAT(WaitForEnd(*killed), HasSubstr("signal 15"));
}

TEST(ChildProcessTest, AMissingProgramEndsWith127) {
  auto child = ChildProcess::Start({"/nonexistent/program"});
  ASSERT_TRUE(child.ok());
  EXPECT_EQ(WaitForEnd(*child), "exit status 127");
}

TEST(ChildProcessTest, AChildDoesNotInheritBlockedSignals) {
  sigset_t term;
  sigemptyset(&term);
  sigaddset(&term, SIGTERM);
  sigset_t before;
  ASSERT_EQ(::pthread_sigmask(SIG_BLOCK, &term, &before), 0);
  auto child = ChildProcess::Start({"/bin/sleep", "60"});
  ASSERT_EQ(::pthread_sigmask(SIG_SETMASK, &before, nullptr), 0);
  ASSERT_TRUE(child.ok());
  child->Signal(SIGTERM);
  EXPECT_THAT(WaitForEnd(*child), HasSubstr("signal 15"));
}

TEST(StopSignalsTest, TheFirstSignalDrainsAndLaterOnesStop) {
  std::atomic<int> drains{0};
  std::atomic<int> stops{0};
  const auto await = [](const std::atomic<int>& calls) {
    const absl::Time deadline = absl::Now() + absl::Seconds(30);
    while (calls.load() == 0 && absl::Now() < deadline) absl::SleepFor(absl::Milliseconds(5));
  };
  {
    const StopSignals signals([&drains] { ++drains; }, [&stops] { ++stops; });
    EXPECT_FALSE(signals.stopped());
    ASSERT_EQ(::kill(::getpid(), SIGTERM), 0);
    await(drains);
    EXPECT_TRUE(signals.stopped());
    EXPECT_EQ(stops.load(), 0);
    ASSERT_EQ(::kill(::getpid(), SIGINT), 0);
    await(stops);
  }
  EXPECT_EQ(drains.load(), 1);
  EXPECT_EQ(stops.load(), 1);
}

TEST(TokenFileTest, WaitsUntilTheTokenIsThere) {
  const testing::TemporaryDirectory directory;
  const std::string path = directory.path() + "/token";
  EXPECT_TRUE(absl::IsNotFound(ReadTokenFile(path).status()));
  std::ofstream(path) << "  \n";
  EXPECT_TRUE(absl::IsNotFound(ReadTokenFile(path).status()));
  EXPECT_TRUE(absl::IsCancelled(AwaitTokenFile(path, [] { return true; }).status()));
  int polls = 0;
  const auto token = AwaitTokenFile(path, [&] {
    if (++polls == 2) std::ofstream(path) << "enigma-abc\n";
    return false;
  });
  ASSERT_TRUE(token.ok()) << token.status();
  EXPECT_EQ(*token, "enigma-abc");
}

}  // namespace
}  // namespace enigma::cli
