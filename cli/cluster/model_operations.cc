#include "cli/cluster/model_operations.h"

#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "cli/output/format.h"
#include "cli/output/progress.h"

namespace enigma::cli {

absl::StatusOr<v1::ModelInfo> ImportModel(ClusterClient& client, const v1::ImportModelRequest& request) {
  Progress progress("importing");
  grpc::ClientContext context;
  const auto reader = client.cluster().ImportModel(&context, request);
  v1::ImportModelProgress step;
  v1::ModelInfo model;
  bool done = false;
  while (reader->Read(&step)) {
    progress.Update(step.bytes_hashed(), step.bytes_total(), FormatBytes(step.bytes_total()));
    if (step.has_model()) {
      model = step.model();
      done = true;
    }
  }
  ENIGMA_RETURN_IF_ERROR(client.Explain(reader->Finish()));
  if (!done) return absl::InternalError("the coordinator ended the import without an answer");
  return model;
}

absl::StatusOr<v1::LoadProgress> LoadModel(ClusterClient& client, const v1::LoadRequest& request) {
  Progress progress("loading");
  grpc::ClientContext context;
  const auto reader = client.cluster().Load(&context, request);
  v1::LoadProgress step;
  v1::LoadProgress last;
  bool done = false;
  while (reader->Read(&step)) {
    progress.Update(step.bytes_present() + step.bytes_fetched(), step.bytes_needed(), step.phase());
    last = step;
    done = done || step.has_replica();
  }
  ENIGMA_RETURN_IF_ERROR(client.Explain(reader->Finish()));
  if (!done) return absl::InternalError("the coordinator ended the load without an answer");
  return last;
}

}  // namespace enigma::cli
