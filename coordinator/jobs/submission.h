#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "coordinator/jobs/job_folders.h"
#include "coordinator/jobs/job_preparation.h"
#include "coordinator/jobs/job_registry.h"
#include "coordinator/jobs/received_file.h"
#include "coordinator/operations/control_plane.h"
#include "proto/training.pb.h"

namespace enigma::coordinator {

// A job on its way in: options first, then files piece by piece, then the work that turns them into a job that is
// queued. What does not come to that end leaves nothing behind. Not thread-safe.
class Submission {
 public:
  struct Limits {
    uint64_t data_bytes_max = uint64_t{4} << 30;  // of all files
    uint64_t tokenizer_bytes_max = uint64_t{256} << 20;
    size_t files_max = 10'000;  // without pictures
    UploadedPictures::Limits pictures = {};
    uint64_t disk_left_min = uint64_t{1} << 30;  // stays free beside the data
  };

  // Checks the options and reserves the name. ALREADY_EXISTS when it is taken by a model or by another job.
  static absl::StatusOr<std::unique_ptr<Submission>> Begin(ControlPlane& plane, JobRegistry& jobs, JobFolders& folders,
                                                           const enigma::v1::SubmitJobRequest::Head& head,
                                                           const Limits& limits);
  static absl::StatusOr<std::unique_ptr<Submission>> Begin(ControlPlane& plane, JobRegistry& jobs, JobFolders& folders,
                                                           const enigma::v1::SubmitJobRequest::Head& head) {
    return Begin(plane, jobs, folders, head, Limits());
  }
  ~Submission();
  Submission(const Submission&) = delete;
  Submission& operator=(const Submission&) = delete;

  // The next file; data that follow are its. RESOURCE_EXHAUSTED names the limit.
  absl::Status TakeFile(const enigma::v1::SubmitJobRequest::File& file);
  absl::Status TakeData(std::string_view data);

  // All is there: prepares it and queues the job. Errors as PrepareJob has them.
  absl::StatusOr<Job> Finish(const PreparationReport& report);

  uint64_t id() const { return id_; }

 private:
  Submission(ControlPlane& plane, JobRegistry& jobs, JobFolders& folders, const Limits& limits, uint64_t id)
      : plane_(plane), jobs_(jobs), folders_(folders), limits_(limits), id_(id) {}
  absl::Status EndFile();
  absl::Status TakePicture(const std::string& name);

  ControlPlane& plane_;
  JobRegistry& jobs_;
  JobFolders& folders_;
  const Limits limits_;
  const uint64_t id_;
  JobMaterial material_;
  std::unique_ptr<ReceivedFile> file_;  // the one under way
  enum class Kind { kData, kTokenizer, kPicture };
  Kind kind_ = Kind::kData;  // of what comes
  uint64_t data_bytes_ = 0;
  bool queued_ = false;
};

}  // namespace enigma::coordinator
