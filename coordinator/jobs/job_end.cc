#include "coordinator/jobs/job_end.h"

#include <string>
#include <vector>

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>

#include "base/status_macros.h"
#include "coordinator/operations/import_model.h"
#include "telemetry/log.h"

namespace enigma::coordinator {
namespace {

absl::Status RegisterExport(ControlPlane& plane, JobFolders& folders, const Job& job,
                            const engine::TrainingConfig& config) {
  ModelImport import;
  import.name = job.model;
  import.also_in_service = true;  // what was trained for hours does not fail by a load that came meanwhile
  ENIGMA_ASSIGN_OR_RETURN(import.path, folders.ExportPath(job.id, "gguf"));
  if (config.pictures.used()) {
    ENIGMA_ASSIGN_OR_RETURN(import.encoder, folders.ExportPath(job.id, "encoder"));
  }
  return ImportModel(plane, import).status();
}

}  // namespace

enigma::v1::RankOrder FinishOrder(bool export_model, const std::string& reason) {
  enigma::v1::RankOrder order;
  order.mutable_finish()->set_export_model(export_model);
  order.mutable_finish()->set_reason(reason);
  return order;
}

JobEnd EndOfExport(ControlPlane& plane, JobFolders& folders, const Job& job, const engine::TrainingConfig& config,
                   const enigma::v1::ExportDone& exported) {
  if (!exported.error().empty()) {
    return {JobState::kFailed, absl::StrCat("the model was not exported: ", exported.error())};
  }
  if (const absl::Status registered = RegisterExport(plane, folders, job, config); !registered.ok()) {
    return {JobState::kFailed, absl::StrCat("the exported model cannot be registered: ", registered.message())};
  }
  LogInfo("job {}: {} is registered; its logits differ from the trainer's by {} at most", job.id, job.model,
          exported.largest_difference());
  std::vector<std::string> said;
  if (!job.reason.empty()) said.push_back(job.reason);
  if (exported.step() > 0 && exported.step() < job.progress.step) {
    said.push_back(absl::StrCat("the model is that of step ", exported.step(), ", the best by validation"));
  }
  if (!exported.remark().empty()) said.push_back(exported.remark());
  return {JobState::kDone, absl::StrJoin(said, "; ")};
}

}  // namespace enigma::coordinator
