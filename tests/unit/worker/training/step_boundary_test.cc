#include "worker/training/step_boundary.h"

#include <gtest/gtest.h>

namespace enigma::worker {
namespace {

engine::TrainingConfig Config(uint64_t steps, uint64_t validate_every, uint32_t early_stop = 0) {
  engine::TrainingConfig config;
  config.steps = steps;
  config.validate_every = validate_every;
  config.early_stop_validations = early_stop;
  return config;
}

TEST(StepBoundary, WhatComesNext) {
  using enum BoundaryAction;
  struct Case {
    const char* name;
    uint64_t validate_every;
    uint32_t early_stop;
    uint64_t step;
    uint64_t control;
    ValidationRecord validations;
    BoundaryAction expected;
  };
  const Case cases[] = {
      {"the beginning is not validated", 5, 0, 0, 0, {}, kStep},
      {"in between", 5, 0, 7, 0, {.step = 5}, kStep},
      {"a validation is due", 5, 0, 10, 0, {.step = 5}, kValidate},
      {"and is done", 5, 0, 10, 0, {.step = 10}, kStep},
      {"only at the end", 0, 0, 10, 0, {}, kStep},
      {"the last step is validated", 0, 0, 20, 0, {}, kValidate},
      {"and then all is done", 0, 0, 20, 0, {.step = 20}, kFinish},
      {"a pause", 5, 0, 7, kControlPause, {.step = 5}, kPause},
      {"a stop", 5, 0, 7, kControlStop, {.step = 5}, kPause},
      {"a checkpoint alone", 5, 0, 7, kControlCheckpoint, {.step = 5}, kStep},
      {"a pause comes before a validation", 5, 0, 10, kControlPause, {.step = 5}, kPause},
      {"a pause after the last step comes too late", 0, 0, 20, kControlPause, {}, kValidate},
      {"nor does it hold up the end", 0, 0, 20, kControlStop, {.step = 20}, kFinish},
      {"two without improvement of three", 5, 3, 12, 0, {.step = 10, .best_step = 2, .since_best = 2}, kStep},
      {"three", 5, 3, 12, 0, {.step = 10, .best_step = 2, .since_best = 3}, kFinishEarly},
      {"the one that is due may be better", 5, 3, 15, 0, {.step = 10, .best_step = 2, .since_best = 3}, kValidate},
      {"no early stopping", 5, 0, 12, 0, {.step = 10, .best_step = 2, .since_best = 30}, kStep},
      {"a step beyond the last", 0, 0, 25, 0, {.step = 25}, kFinish},
  };
  for (const Case& c : cases) {
    EXPECT_EQ(NextAction(Config(20, c.validate_every, c.early_stop), c.step, c.control, c.validations), c.expected)
        << c.name;
  }
}

TEST(StepBoundary, ValidationsAreCountedFromTheBest) {
  ValidationRecord record;
  record.Add(5, 3.0);
  EXPECT_EQ(record.best_step, 5U);
  EXPECT_EQ(record.since_best, 0U);
  record.Add(10, 3.0);  // no better
  record.Add(15, 3.5);
  EXPECT_EQ(record.since_best, 2U);
  record.Add(20, 2.5);
  EXPECT_EQ(record.best_step, 20U);
  EXPECT_EQ(record.best_loss, 2.5);
  EXPECT_EQ(record.since_best, 0U);
  record.Skip(25);
  EXPECT_EQ(record.step, 25U);
  EXPECT_EQ(record.since_best, 0U);
}

TEST(StepBoundary, TheRecordOfAnEpochIsWhatTheCoordinatorKnows) {
  v1::BeginEpoch begin;
  begin.set_validated_step(40);
  begin.set_best_validation_loss(1.5);
  begin.set_best_validation_step(30);
  begin.set_validations_since_best(1);
  ValidationRecord record = ValidationRecord::From(begin);
  record.Add(50, 1.5);
  EXPECT_EQ(record.since_best, 2U);
  record.Add(60, 1.25);
  EXPECT_EQ(record.best_step, 60U);
}

TEST(StepBoundary, CheckpointsByStepsOrByTime) {
  engine::TrainingConfig by_steps;
  by_steps.checkpoint_every = 10;
  engine::TrainingConfig by_time;
  by_time.checkpoint_seconds = 60;
  struct Case {
    const engine::TrainingConfig& config;
    uint64_t step;
    uint64_t last_step;
    double seconds;
    bool due;
  };
  const Case cases[] = {
      {by_steps, 9, 0, 1e6, false},   {by_steps, 10, 0, 0, true},
      {by_steps, 19, 10, 1e6, false}, {by_steps, 23, 19, 0, true},  // the one of step 20 fell into the time of another
      {by_steps, 20, 20, 1e6, false}, {by_time, 3, 2, 59, false},
      {by_time, 3, 2, 60, true},      {by_time, 3, 3, 61, false},
  };
  for (const Case& c : cases) {
    EXPECT_EQ(CheckpointDue(c.config, c.step, c.last_step, absl::Seconds(c.seconds)), c.due)
        << c.step << " after " << c.last_step << ", " << c.seconds << " s";
  }
}

TEST(StepBoundary, TheControlWordHasABitForEachWish) {
  v1::LeaderControl control;
  EXPECT_EQ(ControlWordOf(control), 0U);
  control.set_pause(true);
  control.set_stop(true);
  EXPECT_EQ(ControlWordOf(control), kControlPause | kControlStop);
  control.Clear();
  control.set_checkpoint(true);
  EXPECT_EQ(ControlWordOf(control), kControlCheckpoint);
}

}  // namespace
}  // namespace enigma::worker
