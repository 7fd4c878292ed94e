#include "worker/service/worker_server.h"

#include <algorithm>
#include <iterator>
#include <utility>
#include <vector>

#include "base/status_macros.h"
#include "worker/pipeline/stage_link.h"
#include "worker/training/rank_world.h"

namespace enigma::worker {
namespace {

Authoriser AuthoriserFor(const NodeIdentity* identity) {
  return identity != nullptr ? Authoriser::ForCluster(identity->cluster_id) : Authoriser::Insecure();
}

}  // namespace

absl::StatusOr<std::unique_ptr<WorkerServer>> WorkerServer::Start(const Options& options, Metrics& metrics) {
  ENIGMA_ASSIGN_OR_RETURN(std::unique_ptr<LayerCache> cache,
                          LayerCache::Create({.directory = options.layers_dir, .free_bytes = {}}));
  std::unique_ptr<WorkerServer> worker(new WorkerServer(options, std::move(cache), metrics));
  ServerOptions server;
  server.host = options.host;
  server.port = options.port;
  server.identity = options.identity;
  server.services = {&worker->service_, &worker->ranks_service_, &worker->content_};
  server.configure = [&worker](grpc::ServerBuilder& builder) {
    builder.RegisterCallbackGenericService(&worker->links_);
  };
  ENIGMA_ASSIGN_OR_RETURN(worker->server_, RpcServer::Start(server));
  return worker;
}

WorkerServer::WorkerServer(const Options& options, std::unique_ptr<LayerCache> cache, Metrics& metrics)
    : cache_(std::move(cache)),
      fetcher_(*cache_, metrics),
      channels_(options.identity),
      state_{.node_id = options.node_id,
             .threads = options.threads,
             .memory = options.memory,
             .cache = *cache_,
             .fetcher = fetcher_,
             .channels = channels_,
             .metrics = metrics,
             .on_failure = options.on_failure,
             .ranks = MakeRanks(options)},
      service_(state_, AuthoriserFor(options.identity)),
      ranks_service_(*state_.ranks, AuthoriserFor(options.identity)),
      content_(*cache_, AuthoriserFor(options.identity), metrics),
      stage_links_(AuthoriserFor(options.identity),
                   [this](const LinkPeer& peer) -> absl::StatusOr<std::shared_ptr<FrameReceiver>> {
                     ENIGMA_ASSIGN_OR_RETURN(const std::shared_ptr<StageExecutor> stage,
                                             state_.stages.Find(peer.replica));
                     return stage->ReceiverFor(peer);
                   }),
      rank_links_(AuthoriserFor(options.identity), state_.incoming),
      links_({{kStageLinkMethod, &stage_links_}, {kRankLinkMethod, &rank_links_}}) {}

std::unique_ptr<RankRegistry> WorkerServer::MakeRanks(const Options& options) {
  const RankWorld world{.node_id = options.node_id,
                        .jobs_dir = options.jobs_dir,
                        .channels = channels_,
                        .pieces = *cache_,
                        .fetcher = fetcher_,
                        .incoming = state_.incoming,
                        .trusted_network = options.trusted_network};
  // Asked for when a rank comes, which is not before the server has started.
  return std::make_unique<RankRegistry>(RankRegistry::Options{
      .node_id = options.node_id, .threads = options.threads, .tools = MakeRankTools(world), .free_bytes = [this] {
        return FreeMemory(state_);
      }});
}

WorkerServer::~WorkerServer() {
  // End the streams that wait for tokens, and for events of ranks.
  UnloadAll();
  state_.ranks->Close(absl::CancelledError("the worker stops"));
  if (server_ != nullptr) server_->Shutdown();
}

void WorkerServer::UnloadAll() {
  state_.stages.Clear();
  state_.encoders.Clear();
}

void WorkerServer::Describe(v1::Heartbeat& heartbeat) {
  heartbeat.set_memory_free_bytes(FreeMemoryBytes());
  heartbeat.set_disk_free_bytes(FreeDiskBytes());
  std::vector<v1::StageStatus> stages = state_.stages.Statuses();
  std::ranges::move(state_.encoders.Statuses(), std::back_inserter(stages));
  for (v1::StageStatus& stage : stages) {
    const std::string name = stage.encoder() ? "encoder" : std::to_string(stage.stage_index());
    const MetricLabels labels = {{"model_name", stage.model()}, {"stage", name}};
    const bool stuck = stage.busy() && stage.last_step_age_ms() > 0;
    state_.metrics.Gauge(Metric::kLastStepAge, labels)
        .Set(stuck ? static_cast<double>(stage.last_step_age_ms()) / 1000.0 : 0.0);
    *heartbeat.add_stages() = std::move(stage);
  }
  state_.metrics.Gauge(Metric::kStages).Set(heartbeat.stages_size());
}

}  // namespace enigma::worker
