#include "engine/tensor/thread_pool.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace enigma::engine {
namespace {

class ThreadPoolTest : public testing::TestWithParam<int> {
 protected:
  ThreadPool pool_{GetParam()};
};

TEST_P(ThreadPoolTest, CoversEveryIndexOnce) {
  for (const size_t count : {size_t{0}, size_t{1}, size_t{7}, size_t{64}, size_t{1000}}) {
    for (const size_t grain : {size_t{1}, size_t{3}, size_t{64}, size_t{5000}}) {
      std::vector<int> seen(count);
      std::atomic<bool> aligned{true};
      pool_.ParallelFor(count, grain, [&](size_t begin, size_t end, int thread) {
        if (begin % grain != 0 || (end % grain != 0 && end != count)) aligned = false;
        if (thread < 0 || thread >= GetParam()) aligned = false;
        for (size_t i = begin; i < end; ++i) ++seen[i];  // disjoint ranges: no two threads touch one element
      });
      EXPECT_TRUE(std::all_of(seen.begin(), seen.end(), [](int n) { return n == 1; })) << count << " by " << grain;
      EXPECT_TRUE(aligned);
    }
  }
}

TEST_P(ThreadPoolTest, WhatALoopWroteIsThereForTheNext) {
  std::vector<uint64_t> values(301, 1);
  for (int loop = 0; loop < 2000; ++loop) {
    std::vector<uint64_t> next(values.size());
    pool_.ParallelFor(values.size(), 10, [&](size_t begin, size_t end, int) {
      for (size_t i = begin; i < end; ++i) next[i] = values[i] + values[values.size() - 1 - i] % 2;
    });
    values = next;
  }
  EXPECT_TRUE(std::all_of(values.begin(), values.end(), [&](uint64_t v) { return v == values[0]; }));
}

TEST_P(ThreadPoolTest, WorkersThatFellAsleepWakeUp) {
  for (int i = 0; i < 20; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    std::atomic<size_t> sum{0};
    pool_.ParallelFor(100, 1, [&](size_t begin, size_t end, int) {
      for (size_t n = begin; n < end; ++n) sum += n;
    });
    ASSERT_EQ(sum, 4950U);
  }
}

TEST_P(ThreadPoolTest, ManyMoreChunksThanAWordCanCount) {
  std::atomic<size_t> sum{0};
  pool_.ParallelFor(3'000'000, 1, [&](size_t begin, size_t end, int) { sum += end - begin; });
  EXPECT_EQ(sum, 3'000'000U);
}

TEST_P(ThreadPoolTest, ALoopInsideABodyRunsOnTheThreadThatCallsIt) {
  std::atomic<int> inner_calls{0};
  pool_.ParallelFor(20, 1, [&](size_t outer_begin, size_t outer_end, int) {
    if (pool_.threads() > 1) ADD_FAILURE() << "a body has one thread";
    const std::thread::id self = std::this_thread::get_id();
    pool_.ParallelFor(100, 1, [&](size_t begin, size_t end, int) {
      EXPECT_TRUE(begin == 0 && end == 100);
      EXPECT_EQ(std::this_thread::get_id(), self);
      inner_calls += static_cast<int>(outer_end - outer_begin);
    });
  });
  EXPECT_EQ(inner_calls, 20);
  EXPECT_EQ(pool_.threads(), GetParam());
}

INSTANTIATE_TEST_SUITE_P(Threads, ThreadPoolTest, testing::Values(1, 2, 3, 8));

TEST(ThreadPoolStartTest, ComesAndGoesIdle) {
  for (int i = 0; i < 50; ++i) ThreadPool pool(3);
}

}  // namespace
}  // namespace enigma::engine
