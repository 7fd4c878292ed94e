#pragma once

#include <memory>
#include <vector>

#include <absl/base/thread_annotations.h>
#include <absl/status/status.h>
#include <absl/synchronization/mutex.h>

#include "engine/spec/manifest.h"
#include "worker/service/worker_state.h"

namespace enigma::worker {

// Brings one stage, or image encoder, into service: fetches its pieces, packs its weights, starts its executor. One
// object for one load.
class LoadStage {
 public:
  LoadStage(WorkerState& state, const v1::LoadStageRequest& request) : state_(state), request_(request) {}

  // Takes as long as it takes; not for gRPC's threads. Leaves nothing behind when it fails but pieces in the cache.
  absl::Status Run();
  // Thread-safe, also while Run runs.
  v1::LoadStageProgress Progress() const;
  void Cancel() { fetch_.cancelled = true; }

 private:
  absl::Status Load(uint64_t reservation);
  absl::Status LoadEncoder(uint64_t reservation);
  absl::Status CheckRequest(const engine::Manifest& manifest) const;
  absl::Status Fetch(const std::vector<const engine::Blob*>& blobs);
  absl::StatusOr<LoadedStage> Pack(const engine::Manifest& manifest, const std::vector<const engine::Blob*>& blobs);
  absl::StatusOr<LoadedEncoder> PackEncoder(const engine::Manifest& manifest,
                                            const std::vector<const engine::Blob*>& blobs);
  // Of pieces that are in the cache.
  absl::StatusOr<std::unique_ptr<engine::WeightSource>> OpenPieces(const engine::Manifest& manifest,
                                                                   const std::vector<const engine::Blob*>& blobs) const;
  absl::Status CheckMemory(const engine::GgufFile& head) const;
  void SetPhase(const char* phase);

  WorkerState& state_;
  const v1::LoadStageRequest& request_;
  FetchProgress fetch_;
  mutable absl::Mutex mutex_;
  v1::LoadStageProgress progress_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace enigma::worker
