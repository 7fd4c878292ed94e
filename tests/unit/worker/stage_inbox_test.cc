#include "worker/pipeline/stage_inbox.h"

#include <pthread.h>
#include <sched.h>

#include <atomic>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "worker/pipeline/frame_buffer.h"

namespace enigma::worker {
namespace {

using Wait = StageInbox::Wait;

TEST(StageInbox, HandsOutWhatCameInItsOrder) {
  StageInbox inbox(/*frames_max=*/2, /*requests_max=*/3);
  EXPECT_TRUE(inbox.OnFrame({.node_id = "a"}, MakeBuffer("frame")).ok());
  EXPECT_TRUE(inbox.Ask(CancelRequested{7}).ok());
  const auto first = inbox.Pop(Wait::kNo);
  ASSERT_TRUE(first && std::holds_alternative<FrameArrived>(*first));
  EXPECT_EQ(std::get<FrameArrived>(*first).peer.node_id, "a");
  const auto second = inbox.Pop(Wait::kSoon);
  ASSERT_TRUE(second && std::holds_alternative<CancelRequested>(*second));
  EXPECT_FALSE(inbox.Pop(Wait::kNo));
}

// Between popping a request and what comes of it, a stage must not look as if it had nothing to do.
TEST(StageInbox, IsNotIdleBeforeWhatItHandedOutIsDealtWith) {
  StageInbox inbox(/*frames_max=*/2, /*requests_max=*/3);
  EXPECT_TRUE(inbox.idle());
  EXPECT_TRUE(inbox.Ask(CancelRequested{7}).ok());
  EXPECT_FALSE(inbox.idle());
  ASSERT_TRUE(inbox.Pop(Wait::kNo));
  EXPECT_FALSE(inbox.idle());
  EXPECT_FALSE(inbox.Pop(Wait::kNo));
  EXPECT_TRUE(inbox.idle());
}

TEST(StageInbox, RefusesWhatIsTooMuchButNeverNews) {
  StageInbox inbox(/*frames_max=*/1, /*requests_max=*/2);
  EXPECT_TRUE(inbox.OnFrame({}, MakeBuffer("frame")).ok());
  EXPECT_TRUE(absl::IsResourceExhausted(inbox.OnFrame({}, MakeBuffer("frame"))));
  EXPECT_TRUE(inbox.Ask(CancelRequested{1}).ok());
  EXPECT_TRUE(absl::IsResourceExhausted(inbox.Ask(CancelRequested{2})));
  inbox.Tell(Connected{});
  int events = 0;
  while (inbox.Pop(Wait::kNo)) ++events;
  EXPECT_EQ(events, 3);
}

// Waits of every kind end with an event or with the end of the inbox, with a beat and without.
TEST(StageInbox, WaitsForFramesAtABeat) {
  constexpr int kFrames = 60;
  StageInbox inbox(/*frames_max=*/kFrames, /*requests_max=*/1);
  std::thread sender([&inbox] {
    for (int i = 0; i < kFrames; ++i) {
      std::this_thread::sleep_for(std::chrono::microseconds(i < 40 ? 2000 : i % 2 * 9000));
      ASSERT_TRUE(
          inbox.OnFrame({.replica = static_cast<uint64_t>(i), .stage = 0, .node_id = ""}, MakeBuffer("frame")).ok());
    }
  });
  for (int i = 0; i < kFrames; ++i) {
    const auto event = inbox.Pop(i % 7 == 6 ? Wait::kLong : Wait::kSoon);
    ASSERT_TRUE(event && std::holds_alternative<FrameArrived>(*event));
    EXPECT_EQ(std::get<FrameArrived>(*event).peer.replica, static_cast<uint64_t>(i));
  }
  sender.join();
  std::thread closer([&inbox] {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    inbox.Close();
  });
  EXPECT_FALSE(inbox.Pop(Wait::kSoon));
  EXPECT_TRUE(inbox.closed());
  closer.join();
}

// The processors this process may run on; empty where they cannot be known.
std::vector<int> AllowedCpus() {
  std::vector<int> cpus;
  cpu_set_t set;
  if (::sched_getaffinity(0, sizeof(set), &set) != 0) return cpus;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(cpu, &set)) cpus.push_back(cpu);
  }
  return cpus;
}

void PinThisThread(int cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  ASSERT_EQ(::pthread_setaffinity_np(::pthread_self(), sizeof(set), &set), 0);
}

// A stage that looks for its next frame while somebody else computes on its core goes back to sleeping.
TEST(StageInbox, LeavesTheCoreToWhoeverElseComputesOnIt) {
  const std::vector<int> cpus = AllowedCpus();
  if (cpus.size() < 2) GTEST_SKIP() << "needs two processors";
  constexpr int kFrames = 60;
  StageInbox inbox(/*frames_max=*/kFrames, /*requests_max=*/1);
  std::atomic<bool> over{false};
  bool gave_way = false;
  std::thread stage([&] {
    PinThisThread(cpus[0]);
    for (int i = 0; i < kFrames; ++i) {
      if (!inbox.Pop(Wait::kSoon)) return;
      if (i > 8) gave_way = gave_way || inbox.forecast().Sleep() > absl::ZeroDuration();
    }
  });
  std::thread other([&] {
    PinThisThread(cpus[0]);
    while (!over) {
    }
  });
  for (int i = 0; i < kFrames; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    ASSERT_TRUE(inbox.OnFrame({}, MakeBuffer("frame")).ok());
  }
  stage.join();
  over = true;
  other.join();
  EXPECT_TRUE(gave_way);
}

}  // namespace
}  // namespace enigma::worker
