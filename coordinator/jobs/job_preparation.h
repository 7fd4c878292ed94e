#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/statusor.h>

#include "coordinator/jobs/job.h"
#include "coordinator/jobs/job_folders.h"
#include "coordinator/jobs/uploaded_pictures.h"
#include "coordinator/operations/control_plane.h"
#include "proto/training.pb.h"

namespace enigma::coordinator {

struct UploadedFile {
  std::string name;  // as the caller calls it
  std::string path;  // where it lies here
};

// What a job is made of.
struct JobMaterial {
  enigma::v1::TrainingOptions options;
  std::vector<UploadedFile> data;
  std::shared_ptr<UploadedPictures> pictures;  // null: none were sent
  std::string tokenizer_path;                  // of an uploaded vocabulary; empty: none
  std::string tokenizer_model;                 // a registered model whose vocabulary is taken; empty: none
  uint64_t disk_left_min = 0;                  // bytes that stay free beside what is made of them
};

// Hears what is being done ("tokenizer", "reading", "filtering", "tokenising", "pictures") and the share of it that is
// done; false ends the work with CANCELLED.
using PreparationReport = std::function<bool(std::string_view phase, double share)>;

// Resolves the options, makes tokenizer, token set and, of pictures, the picture set, and stores them in the folder of
// job `id`. INVALID_ARGUMENT says what is wrong with options or data, with file and line. Takes long, and memory in
// proportion to the data.
absl::StatusOr<Job> PrepareJob(ControlPlane& plane, const JobFolders& folders, uint64_t id, const JobMaterial& material,
                               const PreparationReport& report);

// The shape of a registered model that training may start from.
absl::StatusOr<engine::ModelSpec> ShapeOfModel(ControlPlane& plane, const std::string& name);

}  // namespace enigma::coordinator
