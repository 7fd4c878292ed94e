// Jobs whose workers come, go and fail, and whose coordinator goes away.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/synthetic_models.h"
#include "tests/unit/coordinator/jobs/training_fixture.h"

namespace enigma::coordinator::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

class ElasticTrainingTest : public TrainingTest {};

TEST_F(ElasticTrainingTest, WhoDiesIsDoneWithout) {
  StartTraining(3);
  fakes_.SetStepMilliseconds(10);
  const uint64_t job = MustSubmit(Nano("numbers", 100));
  ASSERT_TRUE(ReachesStep(20));
  ASSERT_EQ(fakes_.begun().size(), 1u);
  KillWorker(1);
  ASSERT_TRUE(Reaches(job, "done")) << Info(job).ShortDebugString();
  const auto begun = fakes_.begun();
  ASSERT_EQ(begun.size(), 2u);
  EXPECT_THAT(MembersOf(begun[1]), UnorderedElementsAre("n0", "n2"));
  EXPECT_GE(begun[1].step(), 19u);
  EXPECT_EQ(begun[1].validated_step(), begun[1].step() / 10 * 10);
  EXPECT_THAT(fakes_.prepared(), ::testing::Contains(::testing::Pair("n0", 1)));
}

TEST_F(ElasticTrainingTest, WhoComesLaterJoins) {
  StartTraining(1);
  fakes_.SetStepMilliseconds(10);
  const uint64_t job = MustSubmit(Nano("numbers", 400));
  ASSERT_TRUE(ReachesStep(5));
  StartRankWorker("n1");
  ASSERT_TRUE(Eventually([&] { return fakes_.begun().size() == 2; }));
  EXPECT_THAT(MembersOf(fakes_.begun()[1]), ElementsAre("n0", "n1"));
  EXPECT_GT(fakes_.begun()[1].step(), 5u);
  EXPECT_EQ(Info(job).ranks_size(), 2);
  ASSERT_TRUE(Cancel(job).ok());
  EXPECT_TRUE(Reaches(job, "cancelled"));
}

TEST_F(ElasticTrainingTest, WhenAllDieTheJobWaitsAndGoesOnFromItsCheckpoint) {
  StartTraining(2);
  fakes_.SetStepMilliseconds(10);
  fakes_.SetCheckpointEvery(10);
  const uint64_t job = MustSubmit(Nano("numbers", 60));
  ASSERT_TRUE(Eventually([&] { return Info(job).checkpoint_step() >= 20; }));
  KillWorker(0);
  KillWorker(1);
  ASSERT_TRUE(Reaches(job, "waiting"));
  EXPECT_THAT(Info(job).reason(), HasSubstr("no worker"));
  const uint64_t checkpoint = Info(job).checkpoint_step();
  StartRankWorker("n2");
  ASSERT_TRUE(Reaches(job, "done")) << Info(job).ShortDebugString();
  // One more may have been on its way when its rank died.
  EXPECT_GE(fakes_.begun().back().step(), checkpoint);
  EXPECT_EQ(fakes_.begun().back().step() % 10, 0u);
  EXPECT_EQ(Info(job).step(), 60u);
  EXPECT_TRUE(IsRegistered("numbers"));
}

TEST_F(ElasticTrainingTest, RanksGoOnWhileTheCoordinatorIsAway) {
  StartTraining(2);
  fakes_.SetStepMilliseconds(10);
  const uint64_t job = MustSubmit(Nano("numbers", 300));
  ASSERT_TRUE(ReachesStep(20));
  uint64_t left_at = 0;
  RestartCoordinator([&] {
    left_at = fakes_.step();
    ASSERT_TRUE(ReachesStep(left_at + 20));
  });
  ASSERT_TRUE(Eventually([&] { return Info(job).step() > left_at + 20; })) << Info(job).ShortDebugString();
  EXPECT_EQ(Info(job).state(), "running");
  ASSERT_TRUE(Reaches(job, "done")) << Info(job).ShortDebugString();
  EXPECT_EQ(fakes_.begun().size(), 1u);  // the same epoch all the while
  EXPECT_THAT(fakes_.prepared(), ::testing::Contains(::testing::Pair("n0", 1)));
}

TEST_F(ElasticTrainingTest, TwoThatCannotReachEachOtherDoNotHoldTheJobUp) {
  StartTraining(3);
  fakes_.SetStepMilliseconds(10);
  const uint64_t job = MustSubmit(Nano("numbers", 200));
  ASSERT_TRUE(ReachesStep(20));
  fakes_.CutBetween("n0", "n1");
  ASSERT_TRUE(Eventually([&] {
    const auto begun = fakes_.begun();
    return begun.back().ranks_size() == 2 && fakes_.step() > begun.back().step() + 5;
  }));
  const std::vector<std::string> members = MembersOf(fakes_.begun().back());
  EXPECT_THAT(members, ::testing::Contains("n2"));
  fakes_.HealCuts();
  ASSERT_TRUE(Reaches(job, "done"));
}

TEST_F(ElasticTrainingTest, WhenTheExporterDiesAnotherExports) {
  StartTraining(2);
  fakes_.SetExportFile(enigma::testing::SyntheticModelPath("tiny", "f32"));
  fakes_.HoldSteps(true);
  const uint64_t job = MustSubmit(Nano("numbers", 10));
  ASSERT_TRUE(Eventually([&] { return fakes_.running().size() == 2; }));
  const std::string leader = MembersOf(fakes_.begun()[0])[0];
  fakes_.HoldSteps(false);
  KillWorker(leader == "n0" ? 0 : 1);  // at some moment of the last steps, or of the export
  ASSERT_TRUE(Reaches(job, "done")) << Info(job).ShortDebugString();
  EXPECT_TRUE(IsRegistered("numbers"));
}

TEST_F(ElasticTrainingTest, TroubleOfAMachineIsNotTroubleOfTheJob) {
  StartTraining(2);
  fakes_.SetStepMilliseconds(10);
  const uint64_t job = MustSubmit(Nano("numbers", 60));
  ASSERT_TRUE(ReachesStep(10));
  fakes_.FailRank("n1", absl::ResourceExhaustedError("out of memory"));
  ASSERT_TRUE(Reaches(job, "done")) << Info(job).ShortDebugString();
  EXPECT_THAT(MembersOf(fakes_.begun().back()), ElementsAre("n0"));

  const uint64_t second = MustSubmit(Nano("more", 60));
  ASSERT_TRUE(Reaches(second, "running"));
  fakes_.FailRank("n0", absl::FailedPreconditionError("step 7, slot 2: the loss is not finite"));
  ASSERT_TRUE(Reaches(second, "failed"));
  EXPECT_THAT(Info(second).reason(), HasSubstr("step 7, slot 2: the loss is not finite"));
}

}  // namespace
}  // namespace enigma::coordinator::testing
