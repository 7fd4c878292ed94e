#pragma once

#include "coordinator/jobs/job.h"
#include "coordinator/jobs/job_history.h"
#include "proto/rank.pb.h"
#include "proto/training.pb.h"

namespace enigma::coordinator {

// As the API tells it; `whole`: with configuration, report of the corpus and warnings, which never change.
enigma::v1::JobInfo DescribeJob(const Job& job, bool whole);
enigma::v1::JobPoint DescribePoint(const JobPoint& point);
// As a rank tells it.
ValidationBook BookOf(const enigma::v1::ValidationRecord& told);

}  // namespace enigma::coordinator
