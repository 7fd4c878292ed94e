#include "worker/capability/host_turn.h"

#include <unistd.h>

#include <chrono>
#include <future>
#include <memory>
#include <string>
#include <utility>

#include <absl/strings/str_cat.h>
#include <gtest/gtest.h>

namespace enigma::worker {
namespace {

constexpr absl::Duration kLong = absl::Seconds(30);
constexpr absl::Duration kShort = absl::Milliseconds(30);

std::string Name(const char* name) { return absl::StrCat("enigma-test-", ::getpid(), "-", name); }

TEST(HostTurn, BelongsToOneAtATime) {
  const absl::Notification over;
  {
    const HostTurn first = HostTurn::Await(Name("one"), kLong, over);
    EXPECT_TRUE(first.held());
    EXPECT_FALSE(HostTurn::Await(Name("one"), kShort, over).held());
    EXPECT_TRUE(HostTurn::Await(Name("other"), kShort, over).held());
  }
  EXPECT_TRUE(HostTurn::Await(Name("one"), kShort, over).held());
}

TEST(HostTurn, GoesToWhoWaits) {
  const absl::Notification over;
  auto held = std::make_unique<HostTurn>(HostTurn::Await(Name("next"), kLong, over));
  auto waiting = std::async(std::launch::async, [&] { return HostTurn::Await(Name("next"), kLong, over).held(); });
  EXPECT_EQ(waiting.wait_for(std::chrono::milliseconds(50)), std::future_status::timeout);
  held.reset();
  EXPECT_TRUE(waiting.get());
}

TEST(HostTurn, IsNotWaitedForOnceAllIsOver) {
  absl::Notification over;
  const HostTurn held = HostTurn::Await(Name("over"), kLong, over);
  auto waiting = std::async(std::launch::async, [&] { return HostTurn::Await(Name("over"), kLong, over).held(); });
  over.Notify();
  EXPECT_FALSE(waiting.get());
}

TEST(HostTurn, MovesWithItsValue) {
  const absl::Notification over;
  HostTurn first = HostTurn::Await(Name("moved"), kLong, over);
  const HostTurn second = std::move(first);
  EXPECT_TRUE(second.held());
  EXPECT_FALSE(HostTurn::Await(Name("moved"), kShort, over).held());
}

}  // namespace
}  // namespace enigma::worker
