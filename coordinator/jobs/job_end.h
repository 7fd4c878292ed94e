#pragma once

#include <string>

#include "coordinator/jobs/job.h"
#include "coordinator/jobs/job_folders.h"
#include "coordinator/operations/control_plane.h"
#include "engine/spec/training_config.h"
#include "proto/rank.pb.h"

namespace enigma::coordinator {

// What comes after the last step: a rank exports the model, and it is registered from the job's folder.

// Lets a rank go, or has it export the model first; `reason` is for the rank's log.
enigma::v1::RankOrder FinishOrder(bool export_model, const std::string& reason);

struct JobEnd {
  JobState state = JobState::kDone;
  std::string reason;  // why it failed, or what is worth knowing of what was made; may be empty
};

// How a job that exports ends, by what the exporting rank tells: done, its model registered (with an image encoder
// where `config` has one), or failed, and then nothing is.
JobEnd EndOfExport(ControlPlane& plane, JobFolders& folders, const Job& job, const engine::TrainingConfig& config,
                   const enigma::v1::ExportDone& exported);

}  // namespace enigma::coordinator
