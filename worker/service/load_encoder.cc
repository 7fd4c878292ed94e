// LoadStage of a replica's image encoder.
#include <string>
#include <utility>
#include <vector>

#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "engine/spec/vision_memory.h"
#include "telemetry/log.h"
#include "worker/service/load_stage.h"
#include "worker/service/worker_memory.h"

namespace enigma::worker {

absl::Status LoadStage::LoadEncoder(uint64_t reservation) {
  ENIGMA_ASSIGN_OR_RETURN(const engine::Manifest manifest, engine::ManifestFromJson(request_.manifest_json()));
  std::vector<const engine::Blob*> blobs;
  for (const engine::Blob& blob : manifest.blobs) blobs.push_back(&blob);
  SetPhase("fetching");
  ENIGMA_RETURN_IF_ERROR(Fetch(blobs));
  SetPhase("packing");
  ENIGMA_ASSIGN_OR_RETURN(LoadedEncoder loaded, PackEncoder(manifest, blobs));
  if (fetch_.cancelled) return absl::CancelledError("the load was cancelled");
  {
    absl::MutexLock lock(&mutex_);
    progress_.set_weight_bytes(loaded.encoder->weight_bytes());
  }
  auto stage = std::make_shared<EncoderStage>(
      EncoderStage::Options{
          .replica = request_.replica(),
          .model = request_.model(),
          .node_id = state_.node_id,
          .free_bytes = [&state = state_] { return FreeMemory(state, engine::kPictureReserveBytes); }},
      std::move(loaded), EncoderStage::Turns{state_.pixels, state_.turn}, state_.metrics);
  ENIGMA_RETURN_IF_ERROR(state_.encoders.Insert(reservation, std::move(stage)));
  SetPhase("ready");
  LogInfo("loaded {}: its image encoder, {} bytes fetched", request_.model(), fetch_.bytes_fetched.load());
  return absl::OkStatus();
}

absl::StatusOr<LoadedEncoder> LoadStage::PackEncoder(const engine::Manifest& manifest,
                                                     const std::vector<const engine::Blob*>& blobs) {
  ENIGMA_ASSIGN_OR_RETURN(const std::unique_ptr<engine::WeightSource> weights, OpenPieces(manifest, blobs));
  ENIGMA_ASSIGN_OR_RETURN(const engine::VisionSpec spec, engine::VisionSpecFromGguf(weights->head()));
  const engine::VisionMemory memory = engine::EstimateVisionMemory(weights->head(), spec);
  const uint64_t free = FreeMemory(state_);
  if (memory.total() > free) {
    return absl::ResourceExhaustedError(absl::StrCat("the image encoder of ", request_.model(), " needs ",
                                                     memory.total(), " bytes (weights ", memory.weights, ", workspace ",
                                                     memory.workspace, "), node ", state_.node_id, " has ", free,
                                                     " free: ", memory.total() - free, " too few"));
  }
  LoadedEncoder loaded;
  loaded.pool = std::make_unique<engine::ThreadPool>(state_.threads);
  ENIGMA_ASSIGN_OR_RETURN(loaded.encoder, engine::VisionEncoder::Load(*weights, *loaded.pool));
  loaded.workspace_bytes = memory.workspace;
  return loaded;
}

}  // namespace enigma::worker
