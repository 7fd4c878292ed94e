// What every Communicator promises, whatever carries its bytes.

#include "engine/collective/communicator.h"

#include <functional>
#include <thread>
#include <vector>

#include <absl/strings/str_cat.h>
#include <absl/synchronization/barrier.h>
#include <absl/synchronization/notification.h>
#include <absl/time/clock.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/counter_random.h"
#include "engine/collective/lost_rank.h"
#include "tests/conformance/rank_group.h"

namespace enigma {
namespace {

using engine::Communicator;
using ::testing::HasSubstr;

// Within which a broken epoch must have ended everywhere, on a machine that may be very busy.
constexpr absl::Duration kSoon = absl::Seconds(5);

// What rank `rank` brings to value `i` of the sum with this key: all magnitudes, and stretches that nobody touched.
int64_t Contribution(uint64_t key, uint32_t rank, uint64_t i) {
  if ((i / 700) % 3 == 2) return 0;
  const auto random =
      Philox({static_cast<uint32_t>(i), static_cast<uint32_t>(i >> 32), rank, 0}, {static_cast<uint32_t>(key), 5});
  const uint64_t word = (uint64_t{random[0]} << 32) | random[1];
  return static_cast<int64_t>(word) >> ((i / 300) % 61);
}

std::vector<int64_t> Contributions(uint64_t key, uint32_t rank, size_t count) {
  std::vector<int64_t> values(count);
  for (size_t i = 0; i < count; ++i) values[i] = Contribution(key, rank, i);
  return values;
}

std::vector<int64_t> SumOf(uint64_t key, uint32_t ranks, size_t count) {
  std::vector<int64_t> sums(count, 0);
  for (uint32_t rank = 0; rank < ranks; ++rank) {
    for (size_t i = 0; i < count; ++i) {
      sums[i] =
          static_cast<int64_t>(static_cast<uint64_t>(sums[i]) + static_cast<uint64_t>(Contribution(key, rank, i)));
    }
  }
  return sums;
}

class CommunicatorSuite : public ::testing::TestWithParam<testing::RankGroupKind> {
 protected:
  using Body = std::function<void(Communicator&)>;

  // Runs `body` as every rank, each on its own thread.
  void Run(uint32_t ranks, const Body& body) {
    group_ = GetParam().make(ranks);
    auto* const joined = new absl::Barrier(static_cast<int>(ranks));  // the last one to leave it deletes it
    std::vector<std::thread> threads;
    for (uint32_t rank = 0; rank < ranks; ++rank) {
      threads.emplace_back([&, rank, joined] {
        const std::unique_ptr<Communicator> communicator = group_->Join(rank);
        if (joined->Block()) delete joined;
        ASSERT_NE(communicator, nullptr);
        EXPECT_EQ(communicator->rank(), rank);
        EXPECT_EQ(communicator->size(), ranks);
        body(*communicator);
      });
    }
    for (std::thread& thread : threads) thread.join();
  }

  std::unique_ptr<testing::RankGroup> group_;
};

TEST_P(CommunicatorSuite, SumsOfAllSizes) {
  for (const uint32_t ranks : {1, 2, 3, 5}) {
    Run(ranks, [&](Communicator& communicator) {
      for (const size_t count : {0, 1, 2, 7, 1000, 100'003, 300'000}) {
        std::vector<int64_t> values = Contributions(count, communicator.rank(), count);
        ASSERT_TRUE(communicator.StartSum(values).ok());
        ASSERT_TRUE(communicator.Wait().ok());
        ASSERT_EQ(values, SumOf(count, ranks, count)) << ranks << " ranks, " << count << " values";
      }
      ASSERT_TRUE(communicator.Wait().ok()) << "nothing is under way";
    });
  }
}

TEST_P(CommunicatorSuite, ManySumsAreUnderWayAtOnce) {
  for (const uint32_t ranks : {2, 3}) {
    Run(ranks, [&](Communicator& communicator) {
      for (uint64_t step = 0; step < 2; ++step) {
        std::vector<std::vector<int64_t>> buckets;
        for (uint64_t bucket = 0; bucket < 40; ++bucket) {
          const size_t count = bucket % 10 == 3 ? 70'000 : bucket * 13;
          buckets.push_back(Contributions(step * 100 + bucket, communicator.rank(), count));
          ASSERT_TRUE(communicator.StartSum(buckets.back()).ok());
        }
        ASSERT_TRUE(communicator.Wait().ok());
        for (uint64_t bucket = 0; bucket < buckets.size(); ++bucket) {
          ASSERT_EQ(buckets[bucket], SumOf(step * 100 + bucket, ranks, buckets[bucket].size())) << "bucket " << bucket;
        }
      }
    });
  }
}

TEST_P(CommunicatorSuite, BroadcastsFromEveryRoot) {
  for (const uint32_t ranks : {1, 2, 3, 5}) {
    Run(ranks, [&](Communicator& communicator) {
      for (uint32_t root = 0; root < ranks; ++root) {
        for (const size_t size : {size_t{0}, size_t{1}, size_t{262'144}, size_t{700'001}}) {
          const auto byte = [&](size_t i) { return static_cast<uint8_t>(i * 7 + root + i / 999); };
          std::vector<uint8_t> bytes(size, 0xEE);
          if (communicator.rank() == root) {
            for (size_t i = 0; i < size; ++i) bytes[i] = byte(i);
          }
          ASSERT_TRUE(communicator.Broadcast(bytes, root).ok());
          for (size_t i = 0; i < size; ++i) ASSERT_EQ(bytes[i], byte(i)) << size << " bytes from " << root;
        }
      }
      EXPECT_EQ(communicator.Broadcast({}, ranks).code(), absl::StatusCode::kInvalidArgument);
      ASSERT_TRUE(communicator.Wait().ok()) << "a wrong argument breaks nothing";
    });
  }
}

TEST_P(CommunicatorSuite, ABroadcastMayFollowSumsUnderWay) {
  Run(3, [&](Communicator& communicator) {
    std::vector<int64_t> values = Contributions(1, communicator.rank(), 50'000);
    std::vector<uint8_t> word = {static_cast<uint8_t>(communicator.rank())};
    ASSERT_TRUE(communicator.StartSum(values).ok());
    ASSERT_TRUE(communicator.Broadcast(word, 2).ok());
    EXPECT_EQ(word[0], 2);
    EXPECT_EQ(values, SumOf(1, 3, 50'000)) << "it waits for all that was started";
  });
}

// The last sum of an epoch: who has it goes, and the others must still get theirs.
TEST_P(CommunicatorSuite, ARankThatIsDoneMayGo) {
  for (int round = 0; round < 5; ++round) {
    Run(3, [&](Communicator& communicator) {
      std::vector<int64_t> values = Contributions(1, communicator.rank(), 120'000);
      absl::SleepFor(absl::Milliseconds(3 * communicator.rank()));
      ASSERT_TRUE(communicator.StartSum(values).ok());
      ASSERT_TRUE(communicator.Wait().ok());
      ASSERT_EQ(values, SumOf(1, 3, 120'000));
    });
  }
}

TEST_P(CommunicatorSuite, TellsItsTraffic) {
  Run(2, [&](Communicator& communicator) {
    std::vector<int64_t> values = Contributions(1, communicator.rank(), 100'000);
    ASSERT_TRUE(communicator.StartSum(values).ok());
    if (communicator.rank() == 1) absl::SleepFor(absl::Milliseconds(30));
    ASSERT_TRUE(communicator.Wait().ok());
    const Communicator::Traffic traffic = communicator.traffic();
    EXPECT_GT(traffic.sent_bytes, 100'000U);
    EXPECT_LE(traffic.sent_bytes, 820'000U);
    EXPECT_GT(traffic.received_bytes, 100'000U);
    EXPECT_LE(traffic.received_bytes, 820'000U);
    EXPECT_GE(traffic.waited_seconds, 0.0);
  });
}

TEST_P(CommunicatorSuite, AbortEndsAllWaiting) {
  absl::Notification waiting;
  Run(3, [&](Communicator& communicator) {
    std::vector<int64_t> values = Contributions(1, communicator.rank(), 200'000);
    if (communicator.rank() == 2) {  // never starts the second one
      ASSERT_TRUE(communicator.StartSum(values).ok());
      ASSERT_TRUE(communicator.Wait().ok());
      waiting.WaitForNotification();
      absl::SleepFor(absl::Milliseconds(20));
      const absl::Time start = absl::Now();
      std::thread other([&] { communicator.Abort(absl::CancelledError("halted by order")); });
      other.join();
      communicator.Abort(absl::InternalError("later"));
      EXPECT_LT(absl::Now() - start, kSoon);
      EXPECT_EQ(communicator.StartSum(values).message(), "halted by order");
      EXPECT_EQ(communicator.Wait().message(), "halted by order");
      EXPECT_EQ(communicator.Broadcast({}, 0).message(), "halted by order");
      // Stays: the others hear of the reason, not only that it went.
      absl::SleepFor(absl::Milliseconds(50));
      return;
    }
    ASSERT_TRUE(communicator.StartSum(values).ok());
    ASSERT_TRUE(communicator.Wait().ok());
    ASSERT_TRUE(communicator.StartSum(values).ok());
    if (communicator.rank() == 0) waiting.Notify();
    const absl::Status status = communicator.Wait();
    EXPECT_EQ(status.code(), absl::StatusCode::kCancelled) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr("halted by order"));
    EXPECT_EQ(communicator.StartSum(values), status) << "the first error is every later call's";
    EXPECT_EQ(communicator.Wait(), status);
  });
}

TEST_P(CommunicatorSuite, TheDeathOfARankIsAnErrorThatNamesIt) {
  for (const uint32_t ranks : {2, 4}) {
    absl::Barrier* const there = new absl::Barrier(static_cast<int>(ranks));
    absl::Notification over;
    std::atomic<uint32_t> told = 0;
    Run(ranks, [&](Communicator& communicator) {
      std::vector<int64_t> values = Contributions(1, communicator.rank(), 500'000);
      ASSERT_TRUE(communicator.StartSum(values).ok());
      ASSERT_TRUE(communicator.Wait().ok());
      if (there->Block()) delete there;
      if (communicator.rank() == 1) {
        absl::SleepFor(absl::Milliseconds(20));
        group_->Kill(1);
        over.WaitForNotification();
        return;
      }
      ASSERT_TRUE(communicator.StartSum(values).ok());
      const absl::Status status = communicator.Wait();
      EXPECT_EQ(engine::LostRank(status), 1U) << "rank " << communicator.rank() << ": " << status;
      EXPECT_THAT(std::string(status.message()), HasSubstr("rank 1"));
      EXPECT_EQ(communicator.Wait(), status);
      if (++told == ranks - 1) over.Notify();
    });
  }
}

// A rank that goes while others still want something of it has not lost them, but they must not wait for it.
TEST_P(CommunicatorSuite, ARankThatGoesTooEarlyIsAnError) {
  Run(3, [&](Communicator& communicator) {
    if (communicator.rank() == 1) return;
    std::vector<int64_t> values(1000, 1);
    absl::Status status = communicator.StartSum(values);
    if (status.ok()) status = communicator.Wait();
    EXPECT_FALSE(status.ok());
    EXPECT_THAT(std::string(status.message()), HasSubstr("rank 1 "));
  });
}

struct Difference {
  std::string name;
  std::function<absl::Status(Communicator&, bool odd)> calls;  // `odd` on one rank of all
};

TEST_P(CommunicatorSuite, RanksThatDoDifferentThingsAreAnError) {
  std::vector<int64_t> few[3];
  std::vector<int64_t> many[3];
  std::vector<uint8_t> bytes[3];
  for (int rank = 0; rank < 3; ++rank) {
    few[rank].assign(1000, 1);
    many[rank].assign(1001, 1);
    bytes[rank].assign(8000, 1);
  }
  const auto sum = [](Communicator& c, std::vector<int64_t>& values) {
    const absl::Status started = c.StartSum(values);
    return started.ok() ? c.Wait() : started;
  };
  const std::vector<Difference> differences = {
      {"sizes", [&](Communicator& c, bool odd) { return sum(c, odd ? few[c.rank()] : many[c.rank()]); }},
      {"nothing and something",
       [&](Communicator& c, bool odd) {
         std::vector<int64_t> none;
         return sum(c, odd ? none : many[c.rank()]);
       }},
      {"kinds",
       [&](Communicator& c, bool odd) { return odd ? sum(c, few[c.rank()]) : c.Broadcast(bytes[c.rank()], 0); }},
      {"roots", [&](Communicator& c, bool odd) { return c.Broadcast(bytes[c.rank()], odd ? 1 : 2); }},
      {"sizes of a broadcast",
       [&](Communicator& c, bool odd) { return c.Broadcast(std::span(bytes[c.rank()]).first(odd ? 8000 : 7999), 0); }},
  };
  for (const Difference& difference : differences) {
    Run(3, [&](Communicator& communicator) {
      absl::Status status = difference.calls(communicator, communicator.rank() == 1);
      // A rank whose part in it was done before anybody noticed hears of it in what it does next.
      if (status.ok() && communicator.rank() != 1) status = sum(communicator, few[communicator.rank()]);
      EXPECT_FALSE(status.ok()) << difference.name;
      EXPECT_FALSE(absl::IsUnavailable(status)) << difference.name << ": " << status;
      EXPECT_THAT(std::string(status.message()), HasSubstr("rank 1")) << difference.name;
      EXPECT_FALSE(engine::LostRank(status)) << "nobody died";
      // Whoever goes first must not be what the others hear of.
      absl::SleepFor(absl::Milliseconds(50));
    });
  }
}

INSTANTIATE_TEST_SUITE_P(All, CommunicatorSuite,
                         ::testing::Values(testing::RankGroupKind{"in_process", testing::MakeInProcessGroup},
                                           testing::RankGroupKind{"in_process_late", testing::MakeLateInProcessGroup},
                                           testing::RankGroupKind{"streams", testing::MakeStreamGroup},
                                           testing::RankGroupKind{"gloo", testing::MakeGlooGroup}),
                         [](const auto& made) { return made.param.name; });

}  // namespace
}  // namespace enigma
