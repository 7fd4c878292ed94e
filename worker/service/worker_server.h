#pragma once

#include <functional>
#include <memory>
#include <string>

#include <absl/status/statusor.h>

#include "rpc/identity.h"
#include "rpc/server.h"
#include "worker/connection/method_router.h"
#include "worker/layer_cache/content_service.h"
#include "worker/pipeline/stage_link_service.h"
#include "worker/service/worker_memory.h"
#include "worker/service/worker_service.h"
#include "worker/service/worker_state.h"
#include "worker/training/ranks_service.h"
#include "worker/training/stream_links_service.h"

namespace enigma::worker {

// What other nodes reach of a worker: one gRPC server with the Worker, Ranks and Content services and the links of
// stages and ranks, and all that stands behind them.
class WorkerServer {
 public:
  struct Options {
    std::string host;
    int port = 0;  // 0 picks a free one
    std::string node_id;
    const NodeIdentity* identity = nullptr;  // null: --insecure; outlives the server
    std::string layers_dir;
    std::string jobs_dir;  // what ranks keep
    bool trusted_network = false;
    int threads = 1;
    MemoryLimits memory;
    std::function<void(const v1::ReplicaFailure&)> on_failure;
  };
  static absl::StatusOr<std::unique_ptr<WorkerServer>> Start(const Options& options, Metrics& metrics);
  ~WorkerServer();

  int port() const { return server_->port(); }
  // Of what it has of replicas; none counts that is still being loaded.
  size_t stage_count() const { return state_.stages.Statuses().size() + state_.encoders.Statuses().size(); }
  void UnloadAll();
  const RankRegistry& ranks() const { return *state_.ranks; }
  uint64_t FreeMemoryBytes() const { return FreeMemory(state_); }
  uint64_t FreeDiskBytes() const { return cache_->FreeBytes().value_or(0); }
  // What a heartbeat tells; also brings the gauges of the stages up to date.
  void Describe(v1::Heartbeat& heartbeat);

 private:
  WorkerServer(const Options& options, std::unique_ptr<LayerCache> cache, Metrics& metrics);
  std::unique_ptr<RankRegistry> MakeRanks(const Options& options);

  const std::unique_ptr<LayerCache> cache_;
  PieceFetcher fetcher_;
  NodeChannels channels_;
  WorkerState state_;
  WorkerService service_;
  RanksService ranks_service_;
  ContentService content_;
  StageLinkService stage_links_;
  StreamLinksService rank_links_;
  MethodRouter links_;                 // to both
  std::unique_ptr<RpcServer> server_;  // last: it goes before what it serves
};

}  // namespace enigma::worker
