#include "cli/training/watch_job.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace enigma::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

v1::JobInfo Running(const std::string& reason) {
  v1::JobInfo job;
  job.set_job(3);
  job.set_state("running");
  job.set_reason(reason);
  job.set_checkpoint_step(40);
  return job;
}

TEST(WatchJob, ToldOnceIsWhatAJobRunsOnInSpiteOf) {
  const std::string full = "a checkpoint was not stored: step 50: the disk is too full";
  EXPECT_EQ(TroubleText(Running(""), ""), "");
  EXPECT_EQ(TroubleText(Running(full), ""), "warning: " + full + "; training goes on");
  EXPECT_EQ(TroubleText(Running(full), full), "");
  EXPECT_EQ(TroubleText(Running(""), full), "the checkpoint of step 40 is stored");
  v1::JobInfo waiting = Running("there is no worker that could go on");
  waiting.set_state("waiting");
  EXPECT_EQ(TroubleText(waiting, full), "") << "the line of its state says it";
}

TEST(WatchJob, WhatWouldFailAgainIsNotAdvised) {
  v1::JobInfo job = Running("node b failed: step 51: loss or gradient is not finite");
  job.set_state("failed");
  job.set_step(50);
  job.set_learning_rate(0.25);
  const std::string said(OutcomeOf(job).message());
  EXPECT_THAT(said, Not(HasSubstr("jobs resume")));
  EXPECT_THAT(said, HasSubstr("a lower --lr (it was 0.25 at step 50)"));
  EXPECT_THAT(said, HasSubstr("the newest checkpoint is of step 40"));
  job.set_reason("the model was not exported: the disk is full");
  EXPECT_THAT(std::string(OutcomeOf(job).message()), HasSubstr("`enigma jobs resume 3` goes on from step 40"));
}

TEST(WatchJob, AWireThatTakesMoreThanAQuarterForAWhileIsToldOnce) {
  WireWarning warning;
  v1::JobInfo job = Running("");
  job.add_ranks("a");
  job.add_ranks("b");
  const auto at = [&](uint64_t step, double share) {
    job.set_step(step);
    job.set_wire_share(share);
    return warning.Note(job);
  };
  EXPECT_EQ(at(10, 0.4), "");
  EXPECT_EQ(at(25, 0.2), "") << "it was no more than a while";
  EXPECT_EQ(at(30, 0.4), "");
  EXPECT_EQ(at(49, 0.4), "");
  EXPECT_THAT(at(50, 0.38), HasSubstr("in 38 % of each step"));
  EXPECT_EQ(at(80, 0.5), "");
  WireWarning alone;
  job.clear_ranks();
  for (const uint64_t step : {100, 200}) {
    job.set_step(step);
    EXPECT_EQ(alone.Note(job), "") << "one waits for nobody";
  }
}

TEST(WatchJob, WhichStepsWeightsAreInTheModelIsSaid) {
  v1::JobInfo job = Running("");
  job.set_state("done");
  job.set_model("answers");
  job.set_step(60);
  job.set_model_step(50);
  job.set_best_step(50);
  job.set_best_validation_loss(0.4155);
  job.set_validation_loss(0.4175);
  EXPECT_THAT(WhatNext(job),
              HasSubstr("answers is registered (the weights of step 50 of 60, whose validation loss 0.4155 "
                        "is the best; the last is 0.4175). To use it:"));
  job.set_model_step(60);
  EXPECT_THAT(WhatNext(job), HasSubstr("(loss 0.0000, best validation loss 0.4155 at step 50)"));
}

}  // namespace
}  // namespace enigma::cli
