#include "coordinator/jobs/base_model.h"

#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "engine/spec/manifest.h"

namespace enigma::coordinator {

absl::StatusOr<ModelPtr> BaseOfJob(const ModelRegistry& models, const Job& job) {
  if (job.base_model.empty()) return nullptr;
  ENIGMA_ASSIGN_OR_RETURN(ModelPtr base, models.Find(job.base_model));
  if (engine::HexOf(base->manifest.id) == job.base_id) return base;
  return absl::FailedPreconditionError(absl::StrCat(
      "'", job.base_model, "', which job ", job.id, " starts from, has other content than when the job was ",
      "submitted; import that again under this name, or submit the job anew"));
}

}  // namespace enigma::coordinator
