#include "worker/service/load_stage.h"

#include <algorithm>
#include <string>
#include <utility>

#include <absl/strings/str_cat.h>

#include "base/clock.h"
#include "base/status_macros.h"
#include "engine/kernels/cpu_target.h"
#include "engine/spec/memory_estimate.h"
#include "telemetry/log.h"
#include "worker/layer_cache/node_piece_source.h"
#include "worker/service/worker_memory.h"

namespace enigma::worker {
namespace {

using engine::Blob;
using engine::BlobKind;

uint32_t LayersOf(const engine::Manifest& manifest) {
  return static_cast<uint32_t>(std::count_if(manifest.blobs.begin(), manifest.blobs.end(),
                                             [](const Blob& blob) { return blob.kind == BlobKind::kLayer; }));
}

// Models without an output matrix of their own use the embedding's.
bool IsTied(const engine::Manifest& manifest) {
  for (const Blob& blob : manifest.blobs) {
    if (blob.kind != BlobKind::kOutput) continue;
    return std::none_of(blob.tensors.begin(), blob.tensors.end(),
                        [](const engine::BlobTensor& tensor) { return tensor.name == "output.weight"; });
  }
  return true;
}

// As people count: to the last layer, where the message names the one behind it.
std::string LayersText(const v1::LoadStageRequest& request) {
  if (request.first_layer() >= request.last_layer())
    return absl::StrCat("no layer from ", request.first_layer(), " on");
  return absl::StrCat("layers ", request.first_layer(), " to ", request.last_layer() - 1);
}

}  // namespace

absl::Status LoadStage::Run() {
  ENIGMA_RETURN_IF_ERROR(engine::CpuSupported());
  if (request_.encoder()) {
    ENIGMA_ASSIGN_OR_RETURN(const uint64_t reservation, state_.encoders.Reserve(request_.replica()));
    const absl::Status loaded = LoadEncoder(reservation);
    if (!loaded.ok()) state_.encoders.Release(request_.replica());
    return loaded;
  }
  ENIGMA_ASSIGN_OR_RETURN(const uint64_t reservation, state_.stages.Reserve(request_.replica()));
  const absl::Status loaded = Load(reservation);
  if (!loaded.ok()) state_.stages.Release(request_.replica());
  return loaded;
}

absl::Status LoadStage::Load(uint64_t reservation) {
  ENIGMA_ASSIGN_OR_RETURN(const engine::Manifest manifest, engine::ManifestFromJson(request_.manifest_json()));
  ENIGMA_RETURN_IF_ERROR(CheckRequest(manifest));
  ENIGMA_ASSIGN_OR_RETURN(const WireType wire_type, WireTypeFromNumber(request_.wire_dtype()));
  const std::vector<const Blob*> blobs =
      manifest.ForStage(request_.first_layer(), request_.last_layer(), LayersOf(manifest), IsTied(manifest));
  SetPhase("fetching");
  const absl::Duration start = Clock::System().Monotonic();
  ENIGMA_RETURN_IF_ERROR(Fetch(blobs));
  const absl::Duration fetched = Clock::System().Monotonic() - start;
  SetPhase("packing");
  ENIGMA_ASSIGN_OR_RETURN(LoadedStage loaded, Pack(manifest, blobs));
  if (fetch_.cancelled) return absl::CancelledError("the load was cancelled");
  {
    absl::MutexLock lock(&mutex_);
    progress_.set_weight_bytes(loaded.stage->weight_bytes());
    progress_.set_kv_bytes(loaded.stage->kv_bytes());
  }
  auto stage = std::make_shared<StageExecutor>(StageExecutor::Options{.replica = request_.replica(),
                                                                      .model = request_.model(),
                                                                      .node_id = state_.node_id,
                                                                      .stage_index = request_.stage_index(),
                                                                      .stage_count = request_.stage_count(),
                                                                      .first_layer = request_.first_layer(),
                                                                      .last_layer = request_.last_layer(),
                                                                      .kv_blocks = request_.kv_blocks(),
                                                                      .max_rows = request_.max_rows(),
                                                                      .wire_type = wire_type,
                                                                      .on_failure = state_.on_failure},
                                               std::move(loaded), state_.turn, state_.metrics);
  ENIGMA_RETURN_IF_ERROR(state_.stages.Insert(reservation, std::move(stage)));
  SetPhase("ready");
  LogInfo("loaded {}: stage {} of {}, {}, {} bytes fetched in {:.2f} s", request_.model(), request_.stage_index(),
          request_.stage_count(), LayersText(request_), fetch_.bytes_fetched.load(), absl::ToDoubleSeconds(fetched));
  return absl::OkStatus();
}

absl::Status LoadStage::CheckRequest(const engine::Manifest& manifest) const {
  const uint32_t layers = LayersOf(manifest);
  if (request_.first_layer() >= request_.last_layer() || request_.last_layer() > layers) {
    return absl::InvalidArgumentError(
        absl::StrCat(LayersText(request_), " of a model of ", layers, ", which are counted from 0"));
  }
  const bool first = request_.stage_index() == 0;
  const bool last = request_.stage_index() + 1 == request_.stage_count();
  if (request_.stage_index() >= request_.stage_count() || first != (request_.first_layer() == 0) ||
      last != (request_.last_layer() == layers)) {
    return absl::InvalidArgumentError(absl::StrCat("stage ", request_.stage_index(), " of ", request_.stage_count(),
                                                   " cannot have ", LayersText(request_), " of ", layers));
  }
  if (request_.kv_blocks() == 0 || request_.max_rows() == 0 || request_.context() == 0) {
    return absl::InvalidArgumentError("kv_blocks, max_rows and context must be at least 1");
  }
  if (request_.kv_type() > static_cast<uint32_t>(engine::KvType::kQ8)) {
    return absl::InvalidArgumentError(absl::StrCat("kv_type ", request_.kv_type(), " is unknown"));
  }
  return absl::OkStatus();
}

absl::Status LoadStage::Fetch(const std::vector<const Blob*>& blobs) {
  std::vector<std::unique_ptr<PieceSource>> sources;
  for (const v1::NodeAddress& node : request_.sources()) {
    if (node.node_id() == state_.node_id && !node.node_id().empty()) continue;
    sources.push_back(std::make_unique<NodePieceSource>(state_.channels, node));
  }
  return state_.fetcher.Fetch(blobs, sources, fetch_);
}

absl::StatusOr<std::unique_ptr<engine::WeightSource>> LoadStage::OpenPieces(
    const engine::Manifest& manifest, const std::vector<const Blob*>& blobs) const {
  std::vector<std::string> paths;
  for (const Blob* blob : blobs) paths.push_back(state_.cache.PathOf(blob->hash));
  return engine::OpenBlobWeights(blobs, paths, manifest.file_bytes);
}

absl::StatusOr<LoadedStage> LoadStage::Pack(const engine::Manifest& manifest, const std::vector<const Blob*>& blobs) {
  LoadedStage loaded;
  ENIGMA_ASSIGN_OR_RETURN(loaded.weights, OpenPieces(manifest, blobs));
  ENIGMA_RETURN_IF_ERROR(CheckMemory(loaded.weights->head()));
  loaded.pool = std::make_unique<engine::ThreadPool>(state_.threads);
  ENIGMA_ASSIGN_OR_RETURN(loaded.stage,
                          engine::Stage::Create(*loaded.weights,
                                                {.first_layer = request_.first_layer(),
                                                 .last_layer = request_.last_layer(),
                                                 .kv_blocks = request_.kv_blocks(),
                                                 .context = request_.context(),
                                                 .kv_type = static_cast<engine::KvType>(request_.kv_type()),
                                                 .max_rows = request_.max_rows()},
                                                *loaded.pool));
  if (loaded.stage->is_last()) {
    ENIGMA_ASSIGN_OR_RETURN(loaded.tokenizer, engine::Tokenizer::FromGguf(loaded.weights->head().metadata()));
  }
  return loaded;
}

absl::Status LoadStage::CheckMemory(const engine::GgufFile& head) const {
  ENIGMA_ASSIGN_OR_RETURN(const engine::ModelSpec spec, engine::ModelSpecFromGguf(head));
  const engine::StageMemory memory =
      engine::EstimateStageMemory(head, spec,
                                  {.first_layer = request_.first_layer(),
                                   .last_layer = request_.last_layer(),
                                   .kv_blocks = request_.kv_blocks(),
                                   .context = request_.context(),
                                   .kv_type = static_cast<engine::KvType>(request_.kv_type()),
                                   .max_rows = request_.max_rows()});
  const uint64_t free = FreeMemory(state_);
  if (memory.total() <= free) return absl::OkStatus();
  return absl::ResourceExhaustedError(
      absl::StrCat(LayersText(request_), " of ", request_.model(), " need ", memory.total(), " bytes (weights ",
                   memory.weights, ", KV ", memory.kv, ", workspace ", memory.workspace, "), node ", state_.node_id,
                   " has ", free, " free: ", memory.total() - free, " too few"));
}

v1::LoadStageProgress LoadStage::Progress() const {
  absl::MutexLock lock(&mutex_);
  v1::LoadStageProgress progress = progress_;
  progress.set_bytes_needed(fetch_.bytes_needed);
  progress.set_bytes_present(fetch_.bytes_present);
  progress.set_bytes_fetched(fetch_.bytes_fetched);
  return progress;
}

void LoadStage::SetPhase(const char* phase) {
  absl::MutexLock lock(&mutex_);
  progress_.set_phase(phase);
}

}  // namespace enigma::worker
