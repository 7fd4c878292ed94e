// Jobs that wait for each other, and that run beside each other.
#include <chrono>
#include <filesystem>
#include <map>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/coordinator/jobs/training_fixture.h"

namespace enigma::coordinator::testing {
namespace {

using ::testing::HasSubstr;

class JobQueueTest : public TrainingTest {
 protected:
  // Goes on until the test is over.
  uint64_t SubmitEndless(const std::string& model, uint32_t workers_max, int32_t priority = 0) {
    fakes_.SetStepMilliseconds(20);
    enigma::v1::TrainingOptions options = Nano(model, 100'000);
    options.set_workers_max(workers_max);
    options.set_priority(priority);
    return MustSubmit(options);
  }
  std::set<std::string> WorkersOf(uint64_t job) {
    const enigma::v1::JobInfo info = Info(job);
    return {info.ranks().begin(), info.ranks().end()};
  }
  bool RunsOn(uint64_t job, size_t workers) {
    return Eventually([&] { return Info(job).state() == "running" && WorkersOf(job).size() == workers; });
  }
  std::map<uint64_t, uint32_t> PlacesInTheList() {
    grpc::ClientContext context;
    enigma::v1::ListJobsReply jobs;
    EXPECT_TRUE(training_->List(&context, {}, &jobs).ok());
    std::map<uint64_t, uint32_t> places;
    for (const auto& info : jobs.jobs()) places[info.job()] = info.queue_place();
    return places;
  }
};

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

TEST_F(JobQueueTest, JobsThatLeaveWorkersRunBesideEachOther) {
  StartTraining(3);
  const uint64_t first = SubmitEndless("first", 1);
  const uint64_t second = SubmitEndless("second", 2);
  ASSERT_TRUE(RunsOn(first, 1)) << Info(first).ShortDebugString();
  ASSERT_TRUE(RunsOn(second, 2)) << Info(second).ShortDebugString();
  std::set<std::string> used = WorkersOf(first);
  used.merge(WorkersOf(second));
  EXPECT_EQ(used.size(), 3U) << "a worker has two jobs";
  const uint64_t third = SubmitEndless("third", 1);
  const uint64_t fourth = SubmitEndless("fourth", 1, /*priority=*/1);
  EXPECT_EQ(PlacesInTheList(), (std::map<uint64_t, uint32_t>{{first, 0}, {second, 0}, {third, 2}, {fourth, 1}}));
  // Whose turn it is takes the place of who ends.
  const std::set<std::string> left = WorkersOf(first);
  ASSERT_TRUE(Cancel(first).ok());
  ASSERT_TRUE(RunsOn(fourth, 1)) << Info(fourth).ShortDebugString();
  EXPECT_EQ(WorkersOf(fourth), left);
  EXPECT_EQ(Info(third).state(), "queued");
  EXPECT_EQ(Info(third).queue_place(), 1U);
}

TEST_F(JobQueueTest, AnEstimateCountsTheWorkersThatOthersLeave) {
  StartTraining(3);
  enigma::v1::TrainingOptions options = Nano("numbers", 1000);
  const auto estimate = [&] {
    grpc::ClientContext context;
    enigma::v1::EstimateJobRequest request;
    *request.mutable_options() = options;
    enigma::v1::EstimateJobReply reply;
    EXPECT_TRUE(training_->Estimate(&context, request, &reply).ok());
    return reply;
  };
  EXPECT_EQ(estimate().nodes_size(), 3);
  const uint64_t first = SubmitEndless("first", 2);
  ASSERT_TRUE(RunsOn(first, 2)) << Info(first).ShortDebugString();
  const auto beside = estimate();
  ASSERT_EQ(beside.nodes_size(), 1);
  EXPECT_FALSE(WorkersOf(first).contains(beside.nodes(0)));
  EXPECT_THAT(beside.warnings(), ::testing::Contains(HasSubstr("works on another job")).Times(2));
  EXPECT_GT(beside.seconds(), 0);
  // With none left it is about what comes after.
  const uint64_t second = SubmitEndless("second", 1);
  ASSERT_TRUE(RunsOn(second, 1)) << Info(second).ShortDebugString();
  const auto after = estimate();
  EXPECT_EQ(after.nodes_size(), 3);
  EXPECT_THAT(after.warnings(), ::testing::Contains(HasSubstr("no worker is free for this now")));
  // That would not help where none could take part at any time.
  options.set_collective("gloo");
  const auto never = estimate();
  EXPECT_EQ(never.nodes_size(), 0);
  EXPECT_THAT(never.warnings(), ::testing::Not(::testing::Contains(HasSubstr("as if other jobs were done"))));
  EXPECT_THAT(never.warnings(), ::testing::Contains(HasSubstr("works on another job")).Times(3));
}

TEST_F(JobQueueTest, AWatcherHearsOfItsPlace) {
  StartTraining(1);
  ASSERT_TRUE(RunsOn(SubmitEndless("first", 0), 1));
  const uint64_t second = SubmitEndless("second", 0);
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(60));
  enigma::v1::WatchJobRequest request;
  request.set_job(SubmitEndless("third", 0));
  request.set_follow(true);
  const auto reader = training_->Watch(&context, request);
  enigma::v1::JobUpdate update;
  ASSERT_TRUE(reader->Read(&update));
  EXPECT_EQ(update.info().queue_place(), 2U);
  ASSERT_TRUE(Cancel(second).ok());
  ASSERT_TRUE(reader->Read(&update));
  EXPECT_EQ(update.info().state(), "queued");
  EXPECT_EQ(update.info().queue_place(), 1U);
  context.TryCancel();
  while (reader->Read(&update)) {
  }
  (void)reader->Finish();
}

TEST_F(JobQueueTest, NobodyIsTakenFromAnotherJob) {
  StartTraining(1);
  const uint64_t first = SubmitEndless("first", 1);
  ASSERT_TRUE(RunsOn(first, 1));
  StartRankWorker("n1");
  const uint64_t second = SubmitEndless("second", 1);
  ASSERT_TRUE(RunsOn(second, 1)) << Info(second).ShortDebugString();
  const std::set<std::string> of_second = WorkersOf(second);
  KillWorker(0);
  ASSERT_TRUE(Reaches(first, "waiting")) << Info(first).ShortDebugString();
  EXPECT_THAT(Info(first).reason(), HasSubstr("works on another job"));
  StartRankWorker("n2");
  ASSERT_TRUE(Reaches(first, "running")) << Info(first).ShortDebugString();
  EXPECT_EQ(WorkersOf(second), of_second);
  EXPECT_EQ(fakes_.prepared(), (std::map<std::string, int>{{"n0", 1}, {"n1", 1}, {"n2", 1}}));
}

TEST_F(JobQueueTest, WhoHasLostAllIsServedFirst) {
  StartTraining(2);
  const uint64_t first = SubmitEndless("first", 1);
  ASSERT_TRUE(RunsOn(first, 1));
  const uint64_t second = SubmitEndless("second", 0);
  ASSERT_TRUE(RunsOn(second, 1)) << Info(second).ShortDebugString();
  KillWorker(WorkersOf(first).begin()->starts_with("n0") ? 0 : 1);
  ASSERT_TRUE(Reaches(first, "waiting")) << Info(first).ShortDebugString();
  StartRankWorker("n2");
  ASSERT_TRUE(RunsOn(first, 1)) << "the other one has a worker: " << Info(first).ShortDebugString();
  EXPECT_EQ(WorkersOf(first), std::set<std::string>{"n2 (host-n2)"});
  StartRankWorker("n3");
  ASSERT_TRUE(RunsOn(second, 2)) << Info(second).ShortDebugString();
}

TEST_F(JobQueueTest, AJobIsCancelledAlsoRightAfterARestart) {
  StartTraining(1);
  const uint64_t first = SubmitEndless("first", 1);
  ASSERT_TRUE(RunsOn(first, 1));
  RestartCoordinator([&] { ASSERT_TRUE(ReachesStep(fakes_.step() + 5)); });
  ASSERT_TRUE(Cancel(first).ok());
  ASSERT_TRUE(Reaches(first, "cancelled")) << Info(first).ShortDebugString();
  // Its worker has heard of it, and is free for another one.
  ASSERT_TRUE(RunsOn(SubmitEndless("second", 1), 1));
}

TEST_F(JobQueueTest, AfterARestartEachGoesOnWithItsOwn) {
  StartTraining(3);
  const uint64_t first = SubmitEndless("first", 1);
  ASSERT_TRUE(RunsOn(first, 1));
  const uint64_t second = SubmitEndless("second", 1);
  ASSERT_TRUE(RunsOn(second, 1)) << Info(second).ShortDebugString();
  const std::map<std::string, int> prepared = fakes_.prepared();
  RestartCoordinator([&] { ASSERT_TRUE(ReachesStep(fakes_.step() + 5)); });
  for (const uint64_t job : {first, second}) {
    const uint64_t step = Info(job).step();
    ASSERT_TRUE(Eventually([&] { return Info(job).step() > step + 5; })) << Info(job).ShortDebugString();
    EXPECT_EQ(Info(job).state(), "running");
  }
  EXPECT_EQ(fakes_.begun().size(), 2U);  // the same epochs all the while
  EXPECT_EQ(fakes_.prepared(), prepared);
}

}  // namespace
}  // namespace enigma::coordinator::testing
