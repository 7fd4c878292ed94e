#pragma once

#include <string>
#include <vector>

#include <absl/status/statusor.h>

#include "cli/cluster/cluster_client.h"
#include "cli/input/captioned_pictures.h"
#include "cli/input/training_text.h"
#include "cli/training/call_stopper.h"
#include "proto/training.pb.h"

namespace enigma::cli {

struct JobUpload {
  v1::TrainingOptions options;
  std::vector<TrainingFile> files;
  std::vector<PictureFile> pictures;  // that the file of captions names
  std::string tokenizer_path;         // a GGUF file whose vocabulary is taken; empty: none
  std::string tokenizer_model;        // a registered model likewise
};

// Sends the data and waits, with progress, until the job is queued: its number, warnings, report. Ctrl-C takes it back
// (CANCELLED).
absl::StatusOr<v1::SubmitJobProgress> SubmitJob(ClusterClient& client, const JobUpload& upload, CallStopper& stopper);

}  // namespace enigma::cli
