#pragma once

#include <functional>
#include <memory>
#include <string>

#include <absl/status/statusor.h>

#include "rpc/identity.h"
#include "rpc/server.h"
#include "worker/layer_cache/content_service.h"
#include "worker/pipeline/stage_link_service.h"
#include "worker/service/worker_service.h"
#include "worker/service/worker_state.h"

namespace enigma::worker {

// What other nodes reach of a worker: one gRPC server with the Worker and Content services and the stages' links, and
// all that stands behind them.
class WorkerServer {
 public:
  struct Options {
    std::string host;
    int port = 0;  // 0 picks a free one
    std::string node_id;
    const NodeIdentity* identity = nullptr;  // null: --insecure; outlives the server
    std::string layers_dir;
    int threads = 1;
    MemoryLimits memory;
    std::function<void(const v1::ReplicaFailure&)> on_failure;
  };
  static absl::StatusOr<std::unique_ptr<WorkerServer>> Start(const Options& options, Metrics& metrics);
  ~WorkerServer();

  int port() const { return server_->port(); }
  StageRegistry& stages() { return state_.stages; }
  uint64_t FreeMemoryBytes() const { return FreeMemory(state_.memory, state_.stages.MemoryBytes()); }
  uint64_t FreeDiskBytes() const { return cache_->FreeBytes().value_or(0); }
  // What a heartbeat tells; also brings the gauges of the stages up to date.
  void Describe(v1::Heartbeat& heartbeat);

 private:
  WorkerServer(const Options& options, std::unique_ptr<LayerCache> cache, Metrics& metrics);

  const std::unique_ptr<LayerCache> cache_;
  PieceFetcher fetcher_;
  NodeChannels channels_;
  WorkerState state_;
  WorkerService service_;
  ContentService content_;
  StageLinkService links_;
  std::unique_ptr<RpcServer> server_;  // last: it goes before what it serves
};

}  // namespace enigma::worker
