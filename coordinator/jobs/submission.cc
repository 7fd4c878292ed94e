#include "coordinator/jobs/submission.h"

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>

#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "base/text.h"
#include "coordinator/jobs/job_options.h"
#include "coordinator/jobs/job_planner.h"
#include "engine/checkpoint/durable_file.h"
#include "telemetry/log.h"

namespace enigma::coordinator {
namespace {

constexpr size_t kFileNameBytesMax = 4096;

// It stands in messages, and nowhere in a path.
absl::Status CheckFileName(const std::string& name) {
  const bool legible =
      std::none_of(name.begin(), name.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20; });
  if (!name.empty() && name.size() <= kFileNameBytesMax && legible) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("a file's name must have 1 to ", kFileNameBytesMax, " bytes and no control characters"));
}

absl::Status CheckModels(const ControlPlane& plane, const enigma::v1::SubmitJobRequest::Head& head) {
  const enigma::v1::TrainingOptions& options = head.options();
  // What came with the program gives its name up once the job's model is there.
  if (const auto known = plane.models.Find(options.model()); known.ok() && !(*known)->shipped) {
    return absl::AlreadyExistsError(absl::StrCat("a model called '", options.model(),
                                                 "' is registered; `enigma models rm ", options.model(),
                                                 "` first, or choose another name"));
  }
  for (const std::string& name : {options.base_model(), head.tokenizer_model()}) {
    if (!name.empty()) ENIGMA_RETURN_IF_ERROR(plane.models.Find(name).status());
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<Submission>> Submission::Begin(ControlPlane& plane, JobRegistry& jobs,
                                                              JobFolders& folders,
                                                              const enigma::v1::SubmitJobRequest::Head& head,
                                                              const Limits& limits) {
  const enigma::v1::TrainingOptions& options = head.options();
  ENIGMA_RETURN_IF_ERROR(CheckJobOptions(options));
  if (IsGloo(options)) ENIGMA_RETURN_IF_ERROR(CheckNetworksTrusted(plane.nodes.List(), options.workers_max()));
  ENIGMA_RETURN_IF_ERROR(CheckModels(plane, head));  // before a number is spent
  ENIGMA_ASSIGN_OR_RETURN(const uint64_t id, jobs.Reserve(options.model(), options.base_model()));
  std::unique_ptr<Submission> submission(new Submission(plane, jobs, folders, limits, id));
  submission->material_.options = options;
  submission->material_.tokenizer_model = head.tokenizer_model();
  submission->material_.disk_left_min = limits.disk_left_min;
  ENIGMA_RETURN_IF_ERROR(CheckModels(plane, head));  // they stay from now on
  ENIGMA_RETURN_IF_ERROR(folders.Create(id));
  return submission;
}

Submission::~Submission() {
  if (queued_) return;
  file_.reset();
  jobs_.Release(id_);
  if (const absl::Status removed = folders_.Remove(id_); !removed.ok()) LogWarn("{}", Describe(removed));
}

absl::Status Submission::EndFile() {
  if (file_ == nullptr) return absl::OkStatus();
  const absl::Status ended = file_->Commit(file_->bytes(), "");
  file_.reset();
  return ended;
}

absl::Status Submission::TakeFile(const enigma::v1::SubmitJobRequest::File& file) {
  ENIGMA_RETURN_IF_ERROR(EndFile());
  ENIGMA_RETURN_IF_ERROR(CheckFileName(file.name()));
  kind_ = file.tokenizer() ? Kind::kTokenizer : file.picture() ? Kind::kPicture : Kind::kData;
  if (kind_ == Kind::kPicture) return TakePicture(file.name());
  const bool is_tokenizer = kind_ == Kind::kTokenizer;
  if (is_tokenizer && !material_.tokenizer_path.empty()) {
    return absl::InvalidArgumentError("tokenizer: there can be one only");
  }
  if (!is_tokenizer && material_.data.size() >= limits_.files_max) {
    return absl::ResourceExhaustedError(absl::StrCat("data: at most ", limits_.files_max, " files; join some of them"));
  }
  const std::string path =
      absl::StrCat(folders_.IncomingPath(id_), "/", is_tokenizer ? "tokenizer" : absl::StrCat(material_.data.size()));
  ENIGMA_ASSIGN_OR_RETURN(file_, ReceivedFile::Create(path));
  if (is_tokenizer) {
    material_.tokenizer_path = path;
  } else {
    material_.data.push_back({file.name(), path});
  }
  return absl::OkStatus();
}

absl::Status Submission::TakePicture(const std::string& name) {
  if (!IsVision(material_.options)) {
    return absl::InvalidArgumentError("data: pictures were sent, and only task vision learns from them");
  }
  if (material_.pictures == nullptr) {
    ENIGMA_ASSIGN_OR_RETURN(material_.pictures,
                            UploadedPictures::Create(folders_.IncomingPath(id_) + "/pictures", limits_.pictures));
  }
  return material_.pictures->Begin(name);
}

absl::Status Submission::TakeData(std::string_view data) {
  if (file_ == nullptr && kind_ != Kind::kPicture) {
    return absl::InvalidArgumentError("data came before the name of the file that they belong to");
  }
  if (kind_ == Kind::kTokenizer && file_->bytes() + data.size() > limits_.tokenizer_bytes_max) {
    return absl::ResourceExhaustedError(
        absl::StrCat("tokenizer: more than ", limits_.tokenizer_bytes_max >> 20, " MiB; send a vocabulary alone"));
  }
  if (kind_ != Kind::kTokenizer) {
    data_bytes_ += data.size();
    if (data_bytes_ > limits_.data_bytes_max) {
      return absl::ResourceExhaustedError(
          absl::StrCat("data: more than ", limits_.data_bytes_max >> 20, " MiB in all files; train on a part of them"));
    }
  }
  ENIGMA_ASSIGN_OR_RETURN(const uint64_t free, engine::FreeDiskBytes(folders_.PathOf(id_)));
  if (free < limits_.disk_left_min) {
    return absl::ResourceExhaustedError(absl::StrCat("the coordinator's disk has ", free >> 20, " MiB left, and keeps ",
                                                     limits_.disk_left_min >> 20,
                                                     " MiB; remove old jobs (`enigma jobs rm`) or models"));
  }
  return kind_ == Kind::kPicture ? material_.pictures->Append(data) : file_->Append(data);
}

absl::StatusOr<Job> Submission::Finish(const PreparationReport& report) {
  ENIGMA_RETURN_IF_ERROR(EndFile());
  if (material_.pictures != nullptr) ENIGMA_RETURN_IF_ERROR(material_.pictures->Finish());
  ENIGMA_ASSIGN_OR_RETURN(Job job, PrepareJob(plane_, folders_, id_, material_, report));
  std::error_code ignored;  // then it goes with the job
  std::filesystem::remove_all(folders_.IncomingPath(id_), ignored);
  ENIGMA_RETURN_IF_ERROR(jobs_.Add(job));
  queued_ = true;
  LogInfo("job {} is queued: {} of {} parameters, {} steps", id_, job.model, job.parameters, job.steps);
  return job;
}

}  // namespace enigma::coordinator
