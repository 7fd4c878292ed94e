// Jobs that wait for each other.
#include <filesystem>

#include <gtest/gtest.h>

#include "tests/unit/coordinator/jobs/training_fixture.h"

namespace enigma::coordinator::testing {
namespace {

class JobQueueTest : public TrainingTest {};

TEST_F(JobQueueTest, OneJobAtATimeTheMoreImportantFirst) {
  StartTraining(1);
  fakes_.HoldSteps(true);
  const uint64_t first = MustSubmit(Nano("first", 10));
  ASSERT_TRUE(Reaches(first, "running"));
  const uint64_t second = MustSubmit(Nano("second", 10));
  enigma::v1::TrainingOptions important = Nano("third", 10);
  important.set_priority(5);
  const uint64_t third = MustSubmit(important);
  EXPECT_EQ(Info(second).state(), "queued");
  EXPECT_EQ(Info(third).state(), "queued");
  fakes_.HoldSteps(false);
  ASSERT_TRUE(Reaches(second, "done"));
  EXPECT_EQ(Info(third).state(), "done");
  EXPECT_LT(Info(third).ended_unix_ms(), Info(second).ended_unix_ms());
  // One that waits is cancelled at once, and can be removed.
  fakes_.HoldSteps(true);
  ASSERT_TRUE(Reaches(MustSubmit(Nano("fourth", 10)), "running"));
  const uint64_t fifth = MustSubmit(Nano("fifth", 10));
  ASSERT_TRUE(Cancel(fifth).ok());
  EXPECT_EQ(Info(fifth).state(), "cancelled");
  ASSERT_TRUE(Remove(fifth).ok());
  EXPECT_FALSE(std::filesystem::exists(folder_ + "/data/jobs/" + std::to_string(fifth)));
  EXPECT_TRUE(std::filesystem::exists(folder_ + "/data/jobs/" + std::to_string(first)));
  fakes_.HoldSteps(false);
}

}  // namespace
}  // namespace enigma::coordinator::testing
