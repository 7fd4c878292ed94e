#include "coordinator/jobs/job_course.h"

#include <optional>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/coordinator/bare_plane.h"

namespace enigma::coordinator {
namespace {

using ::testing::HasSubstr;

class JobCourseTest : public BarePlaneTest {
 protected:
  void SetUp() override {
    job_.id = *jobs_.Reserve("numbers");
    job_.model = "numbers";
    job_.steps = 100;
    job_.flops_per_token = 1000;
    ASSERT_TRUE(jobs_.Add(job_).ok());
    course_.emplace(plane_, jobs_, job_);
    course_->EpochBegins({"n1", "n2"}, 0);
    course_->SetFlops("n1", 50'000);
    course_->SetFlops("n2", 50'000);
  }
  [[nodiscard]] std::string Line(const std::string& metric, const std::string& value) const {
    return metric + "{model_name=\"numbers\"} " + value + "\n";
  }

  JobRegistry jobs_{store_, clock_};
  Job job_;
  std::optional<JobCourse> course_;
};

TEST_F(JobCourseTest, StepsStandInTheMetrics) {
  enigma::v1::StepDone step;
  step.set_step(40);
  step.set_loss(2.5F);
  step.set_learning_rate(0.25F);
  step.set_gradient_norm(0.5F);
  step.set_seconds(2);
  step.set_wait_seconds(0.5);
  step.set_tokens(100);
  course_->Note(step);
  const std::string running = metrics_.Text();
  EXPECT_THAT(running, HasSubstr(Line("enigma_job_step", "40")));
  EXPECT_THAT(running, HasSubstr(Line("enigma_job_steps", "100")));
  EXPECT_THAT(running, HasSubstr(Line("enigma_job_loss", "2.5")));
  EXPECT_THAT(running, HasSubstr(Line("enigma_job_learning_rate", "0.25")));
  EXPECT_THAT(running, HasSubstr(Line("enigma_job_gradient_norm", "0.5")));
  EXPECT_THAT(running, HasSubstr(Line("enigma_job_tokens_per_second", "50")));
  EXPECT_THAT(running, HasSubstr(Line("enigma_job_mfu", "0.5")))
      << "50 tokens of 1,000 operations, of 100,000 a second";
  EXPECT_THAT(running, HasSubstr(Line("enigma_job_wire_share", "0.25")));
  EXPECT_THAT(running, HasSubstr(Line("enigma_job_seconds_left", "120"))) << "60 steps of 2 s";
  course_.reset();
  const std::string ended = metrics_.Text();
  EXPECT_THAT(ended, HasSubstr(Line("enigma_job_step", "40")));
  EXPECT_THAT(ended, HasSubstr(Line("enigma_job_tokens_per_second", "0")));
  EXPECT_THAT(ended, HasSubstr(Line("enigma_job_seconds_left", "0")));
  EXPECT_THAT(ended, HasSubstr(Line("enigma_job_mfu", "0")));
}

}  // namespace
}  // namespace enigma::coordinator
