#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include <absl/base/thread_annotations.h>
#include <absl/status/status.h>
#include <absl/synchronization/mutex.h>

#include "engine/spec/manifest.h"
#include "telemetry/metrics.h"
#include "worker/layer_cache/layer_cache.h"
#include "worker/layer_cache/piece_source.h"

namespace enigma::worker {

// Read by whoever shows progress while a fetch runs; `cancelled` is written by them.
struct FetchProgress {
  std::atomic<uint64_t> bytes_needed{0};
  std::atomic<uint64_t> bytes_present{0};  // before the fetch
  std::atomic<uint64_t> bytes_fetched{0};  // over the network
  std::atomic<bool> cancelled{false};
};

// Brings pieces into the layer cache: from the first source that has them, on from where it broke off with the next. A
// few at a time, so that the link is busy while one is hashed and made durable. Loads that want the same piece at the
// same time share one fetch. Thread-safe.
class PieceFetcher {
 public:
  PieceFetcher(LayerCache& cache, Metrics& metrics);

  // All of `blobs`. ResourceExhausted with the bytes needed and free before anything is moved that cannot fit;
  // Unavailable that says of each source why it did not serve; Cancelled.
  absl::Status Fetch(const std::vector<const engine::Blob*>& blobs,
                     const std::vector<std::unique_ptr<PieceSource>>& sources, FetchProgress& progress);

 private:
  // A source and which of the wanted pieces it has.
  struct Offer {
    PieceSource* source;
    std::vector<bool> has;
  };
  // One call of Fetch.
  struct Session {
    std::vector<const engine::Blob*> missing;
    std::vector<Offer> offers;
    std::string unreachable;  // sources that did not answer, and why
    FetchProgress& progress;
    std::atomic<size_t> next{0};  // into `missing`
    std::atomic<bool> failed{false};
    bool ended() const { return failed || progress.cancelled; }
  };
  absl::Status CheckDisk(const std::vector<const engine::Blob*>& missing) const;
  static void AskAll(const std::vector<std::unique_ptr<PieceSource>>& sources, Session& session);
  absl::Status FetchPieces(Session& session);
  absl::Status FetchPiece(size_t index, Session& session);
  // `fetched` counts the bytes that came and were kept.
  absl::Status FetchFrom(PieceSource& source, const engine::Blob& blob, Session& session, uint64_t& fetched);

  absl::Status FetchOnce(PieceSource& source, const engine::Blob& blob, Session& session, bool& resumed,
                         uint64_t& fetched);

  LayerCache& cache_;
  prometheus::Counter& bytes_fetched_;
  prometheus::Counter& failures_;
  absl::Mutex mutex_;
  std::set<engine::Sha256> in_flight_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace enigma::worker
