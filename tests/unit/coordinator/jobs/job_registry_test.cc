#include "coordinator/jobs/job_registry.h"

#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "coordinator/store/memory_store.h"
#include "tests/unit/coordinator/set_clock.h"

namespace enigma::coordinator {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using enum JobState;

class JobRegistryTest : public ::testing::Test {
 protected:
  uint64_t Add(const std::string& model) {
    const absl::StatusOr<uint64_t> id = registry_.Reserve(model);
    EXPECT_TRUE(id.ok()) << id.status();
    Job job;
    job.id = id.value_or(0);
    job.model = model;
    job.gloo = true;
    job.token_set = {"tokens.bin", 12, std::string("\0\xff bytes", 8)};
    EXPECT_TRUE(registry_.Add(job).ok());
    return job.id;
  }
  void MoveThrough(uint64_t id, const std::vector<JobState>& states) {
    for (const JobState state : states) ASSERT_TRUE(registry_.Move(id, state).ok()) << JobStateName(state);
  }

  MemoryStore store_;
  SetClock clock_;
  JobRegistry registry_{store_, clock_};
};

TEST(JobStateTest, OnlyTheLegalMovesAreLegal) {
  int legal = 0;
  for (size_t from = 0; from < kJobStates; ++from) {
    for (size_t to = 0; to < kJobStates; ++to) {
      legal += MayMove(static_cast<JobState>(from), static_cast<JobState>(to)) ? 1 : 0;
      if (!IsLive(static_cast<JobState>(from)) && static_cast<JobState>(to) != kQueued) {
        EXPECT_FALSE(MayMove(static_cast<JobState>(from), static_cast<JobState>(to)));
      }
    }
    EXPECT_FALSE(MayMove(static_cast<JobState>(from), static_cast<JobState>(from)));
    EXPECT_EQ(MayMove(static_cast<JobState>(from), kCancelled), IsLive(static_cast<JobState>(from)));
  }
  EXPECT_EQ(legal, 30);
  EXPECT_FALSE(MayMove(kDone, kQueued));
  EXPECT_FALSE(MayMove(kQueued, kRunning));
}

TEST_F(JobRegistryTest, IdsRiseAlsoPastWhatWasRemoved) {
  const uint64_t first = Add("a");
  const uint64_t second = Add("b");
  EXPECT_GT(second, first);
  MoveThrough(second, {kCancelled});
  ASSERT_TRUE(registry_.Remove(second).ok());
  JobRegistry again(store_, clock_);
  ASSERT_TRUE(again.Restore().ok());
  EXPECT_GT(*again.Reserve("c"), second);
  EXPECT_EQ(again.List().size(), 1u);
}

TEST_F(JobRegistryTest, OneLiveJobPerModel) {
  const uint64_t id = Add("a");
  const absl::StatusOr<uint64_t> second = registry_.Reserve("a");
  EXPECT_TRUE(absl::IsAlreadyExists(second.status()));
  EXPECT_THAT(std::string(second.status().message()), HasSubstr("job 1 (queued) makes a model called 'a'"));
  MoveThrough(id, {kFailed});
  const absl::StatusOr<uint64_t> third = registry_.Reserve("a");
  ASSERT_TRUE(third.ok());
  EXPECT_TRUE(absl::IsAlreadyExists(registry_.Reserve("a").status()));
  registry_.Release(*third);
  Add("a");
  EXPECT_TRUE(absl::IsAlreadyExists(registry_.Move(id, kQueued)));
  EXPECT_TRUE(absl::IsInvalidArgument(registry_.Reserve("no such / name?").status()));
}

TEST_F(JobRegistryTest, WhatLiveJobsNeedStaysAsItIs) {
  using enum ModelChange;
  const auto refusal = [&](const std::string& model, ModelChange change) {
    return std::string(registry_.CheckModelChange(model, change).message());
  };
  const uint64_t id = *registry_.Reserve("made", "base");
  EXPECT_THAT(refusal("base", kRemove), HasSubstr("job 1 (being submitted), which makes 'made', starts from 'base'"));
  Job job;
  job.id = id;
  job.model = "made";
  job.base_model = "base";
  ASSERT_TRUE(registry_.Add(job).ok());
  for (const ModelChange change : {kReplace, kRemove}) {
    EXPECT_TRUE(absl::IsFailedPrecondition(registry_.CheckModelChange("base", change)));
    EXPECT_THAT(refusal("base", change), HasSubstr("job 1 (queued), which makes 'made', starts from 'base'; wait"));
    EXPECT_THAT(refusal("made", change),
                HasSubstr("'made' is what job 1 (queued) makes; wait for it, or `enigma jobs"));
  }
  EXPECT_THAT(refusal("made", kAdd), HasSubstr("job 1 (queued) makes a model called 'made' already"));
  EXPECT_THAT(refusal("made", kTake), HasSubstr("job 1 (queued) makes a model called 'made' already"));
  EXPECT_THAT(refusal("base", kTake), HasSubstr("starts from 'base'"));
  EXPECT_TRUE(registry_.CheckModelChange("base", kAdd).ok());
  EXPECT_TRUE(registry_.CheckModelChange("other", kRemove).ok());

  JobRegistry again(store_, clock_);
  ASSERT_TRUE(again.Restore().ok());
  EXPECT_TRUE(absl::IsFailedPrecondition(again.CheckModelChange("base", kRemove))) << "a restart forgets nothing";

  MoveThrough(id, {kPreparing, kRunning, kExporting});
  EXPECT_TRUE(registry_.CheckModelChange("made", kAdd).ok()) << "now it is the job's own";
  EXPECT_TRUE(registry_.CheckModelChange("made", kTake).ok());
  EXPECT_FALSE(registry_.CheckModelChange("base", kRemove).ok());
  MoveThrough(id, {kDone});
  for (const ModelChange change : {kAdd, kReplace, kRemove}) {
    EXPECT_TRUE(registry_.CheckModelChange("base", change).ok());
    EXPECT_TRUE(registry_.CheckModelChange("made", change).ok());
  }
}

TEST_F(JobRegistryTest, IllegalMovesAreRefusedByName) {
  const uint64_t id = Add("a");
  const absl::Status moved = registry_.Move(id, kDone);
  EXPECT_TRUE(absl::IsFailedPrecondition(moved));
  EXPECT_THAT(std::string(moved.message()), HasSubstr("is queued and cannot become done"));
  EXPECT_TRUE(absl::IsFailedPrecondition(registry_.Remove(id)));
  EXPECT_TRUE(absl::IsNotFound(registry_.Move(77, kDone)));
}

TEST_F(JobRegistryTest, WhatIsKnownOutlivesTheProcess) {
  const uint64_t id = Add("a");
  MoveThrough(id, {kPreparing, kRunning});
  registry_.Note(id, [](Job& job, JobHistory& history) {
    job.progress.step = 5;
    job.progress.loss = 2.5;
    job.progress.slots = {3, 1};
    history.Add({.step = 5, .loss = 2.5});
    history.AddValidation(5, std::numeric_limits<double>::quiet_NaN());
  });
  ASSERT_TRUE(registry_
                  .Update(id,
                          [](Job& job) {
                            job.epoch = 4;
                            job.members = {"n1", "n2"};
                            job.validation.Note(5, 2.25);
                            job.cancel_requested = true;
                          })
                  .ok());
  JobRegistry again(store_, clock_);
  ASSERT_TRUE(again.Restore().ok());
  const Job job = *again.Find(id);
  EXPECT_EQ(job.state, kRunning);
  EXPECT_EQ(job.epoch, 4u);
  EXPECT_THAT(job.members, ElementsAre("n1", "n2"));
  EXPECT_EQ(job.validation.best_loss, 2.25);
  EXPECT_EQ(job.validation.best_step, 5u);
  EXPECT_EQ(job.progress.loss, 2.5);
  EXPECT_THAT(job.progress.slots, ElementsAre(3, 1));
  EXPECT_TRUE(job.cancel_requested);
  EXPECT_TRUE(job.gloo);
  EXPECT_EQ(job.token_set.sha256, std::string("\0\xff bytes", 8));
  ASSERT_EQ(again.History(id, 10).size(), 1u);
  EXPECT_EQ(again.History(id, 10)[0].loss, 2.5);
  // Once it is queued again nothing is left of the wish, nor of its end.
  ASSERT_TRUE(again.Move(id, kCancelled, "as asked").ok());
  EXPECT_TRUE(again.Find(id)->members.empty());
  EXPECT_GT(again.Find(id)->ended_unix_ms, 0);
  ASSERT_TRUE(again.Move(id, kQueued).ok());
  EXPECT_FALSE(again.Find(id)->cancel_requested);
  EXPECT_EQ(again.Find(id)->ended_unix_ms, 0);
}

TEST_F(JobRegistryTest, ADamagedRecordIsNamed) {
  ASSERT_TRUE(store_.Put("job/3", "{\"id\": 3}").ok());
  const absl::Status restored = registry_.Restore();
  EXPECT_TRUE(absl::IsDataLoss(restored));
  EXPECT_THAT(std::string(restored.message()), HasSubstr("job/3"));
}

TEST_F(JobRegistryTest, WhoWaitsHearsOfEveryChange) {
  const uint64_t id = Add("a");
  const uint64_t version = registry_.Version(id);
  EXPECT_EQ(registry_.Version(99), 0u);
  registry_.AwaitChange(id, version, absl::ZeroDuration());
  EXPECT_EQ(registry_.Version(id), version);
  MoveThrough(id, {kPreparing});
  registry_.AwaitChange(id, version, absl::InfiniteDuration());
  EXPECT_NE(registry_.Version(id), version);
}

TEST(ValidationBookTest, TheBestIsKeptAndRepeatsDoNotCount) {
  ValidationBook book;
  book.Note(10, 3);
  book.Note(20, 2);
  book.Note(30, 2.5);
  book.Note(30, 2.5);
  EXPECT_EQ(book.best_step, 20u);
  EXPECT_EQ(book.since_best, 1u);
  EXPECT_EQ(book.loss, 2.5);
  book.Note(40, std::numeric_limits<double>::quiet_NaN());
  EXPECT_EQ(book.since_best, 2u);
}

TEST(JobHistoryTest, ItIsBoundedAndKeepsTheEndsAndTheValidations) {
  JobHistory history(64);
  for (uint64_t step = 1; step <= 10000; ++step) {
    history.Add({.step = step, .loss = static_cast<double>(step)});
    if (step % 1000 == 0) history.AddValidation(step, 0.5);
    ASSERT_LE(history.points().size(), 64u);
    ASSERT_EQ(history.points().back().step, step);
  }
  EXPECT_EQ(history.points().front().step, 1u);
  int validations = 0;
  uint64_t before = 0;
  for (const JobPoint& point : history.points()) {
    EXPECT_GT(point.step, before);
    EXPECT_EQ(point.loss, static_cast<double>(point.step));
    before = point.step;
    validations += point.validation_loss ? 1 : 0;
  }
  EXPECT_EQ(validations, 10);
  EXPECT_EQ(history.Sample(5).size(), 5u);
  EXPECT_EQ(history.Sample(5).back().step, 10000u);
  EXPECT_EQ(history.Sample(1000).size(), history.points().size());
}

TEST(JobHistoryTest, StepsThatAreDoneAgainReplaceWhatWasNoted) {
  JobHistory history;
  for (uint64_t step = 1; step <= 9; ++step) history.Add({.step = step, .loss = 1});
  history.Add({.step = 6, .loss = 2});
  ASSERT_EQ(history.points().size(), 6u);
  EXPECT_EQ(history.points().back().loss, 2);
  history.AddValidation(20, 0.25);  // the step itself was not noted
  EXPECT_EQ(history.points().back().step, 20u);
}

}  // namespace
}  // namespace enigma::coordinator
