#include "worker/training/rank_tools.h"

#include <filesystem>
#include <system_error>
#include <utility>
#include <vector>

#include <absl/strings/numbers.h>

#include "base/status_macros.h"
#include "engine/collective/gloo_communicator.h"
#include "engine/collective/ring_communicator.h"
#include "engine/spec/training_memory.h"
#include "engine/training/state_file.h"
#include "rpc/endpoint.h"
#include "telemetry/log.h"
#include "worker/training/rank_world.h"
#include "worker/training/state_copy.h"
#include "worker/training/stream_links.h"

namespace enigma::worker {
namespace {

// By which the others reach this rank.
std::vector<std::string> HostsOf(const v1::NodeAddress& node) {
  std::vector<std::string> hosts;
  for (const std::string& text : node.endpoints()) {
    const absl::StatusOr<Endpoint> endpoint = ParseEndpoint(text, 0);
    if (endpoint.ok()) hosts.push_back(endpoint->host);
  }
  return hosts;
}

absl::StatusOr<std::unique_ptr<engine::Communicator>> OpenEpoch(const RankWorld& world, uint64_t job,
                                                                const v1::BeginEpoch& begin, const StopSignal& stop) {
  const bool gloo = begin.collective() == v1::COLLECTIVE_GLOO;
  if (gloo && !world.trusted_network) {
    return absl::FailedPreconditionError(
        "the epoch is to sum with Gloo, and this worker was not started with --trusted-network");
  }
  if (begin.ranks_size() == 1) return nullptr;
  StreamLinksOptions options;
  options.job = job;
  options.epoch = begin.epoch();
  options.rank = begin.rank();
  options.ranks.assign(begin.ranks().begin(), begin.ranks().end());
  options.cancelled = &stop.notification();
  ENIGMA_ASSIGN_OR_RETURN(std::unique_ptr<engine::PeerLinks> links,
                          OpenStreamLinks(std::move(options), world.channels, world.incoming));
  if (!gloo) return engine::MakeRingCommunicator(std::move(links));
  LogInfo("job {}: the sums of epoch {} go through Gloo, in plain text", job, begin.epoch());
  const v1::NodeAddress& own = begin.ranks(static_cast<int>(begin.rank()));
  return engine::MakeGlooCommunicator(std::move(links), {.hosts = HostsOf(own)});
}

absl::Status WriteState(const engine::TrainingConfig& config, const PreparedRank& rank,
                        const engine::TrainingState& state, const std::function<void(uint64_t bytes)>& total,
                        const engine::ByteSink& sink) {
  const engine::ParameterLayout layout = engine::ParameterLayout::OfJob(config);
  total(engine::StateFileBytes(state, layout, rank.identity));
  return engine::WriteState(state, layout, rank.identity, sink);
}

void CleanUp(const RankWorld& world, const std::set<uint64_t>& jobs) {
  std::error_code error;
  std::vector<std::filesystem::path> others;
  for (const auto& entry : std::filesystem::directory_iterator(world.jobs_dir, error)) {
    uint64_t job = 0;
    if (absl::SimpleAtoi(entry.path().filename().string(), &job) && !jobs.contains(job)) others.push_back(entry.path());
  }
  for (const std::filesystem::path& path : others) {
    std::filesystem::remove_all(path, error);
    if (error) LogWarn("cannot remove {}: {}", path.string(), error.message());
  }
}

}  // namespace

RankTools MakeRankTools(const RankWorld& world) {
  RankTools tools;
  tools.memory_bytes = engine::TrainingMemoryBytes;
  tools.prepare = [world](const v1::PrepareRank& order, const engine::TrainingConfig& config, engine::ThreadPool& pool,
                          FetchProgress& progress,
                          const StopSignal& stop) { return PrepareRank(world, order, config, pool, progress, stop); };
  tools.open_epoch = [world](uint64_t job, const v1::BeginEpoch& begin, const StopSignal& stop) {
    return OpenEpoch(world, job, begin, stop);
  };
  tools.fetch_state = [world](const v1::NodeAddress& source, uint64_t job, uint64_t step,
                              const engine::TrainingConfig& config, const PreparedRank& rank, const StopSignal& stop) {
    return FetchState(world, source, job, step, config, rank, stop);
  };
  tools.write_state = WriteState;
  tools.store_state = [world](const v1::NodeAddress& coordinator, const StoredFile& file,
                              const engine::TrainingConfig& config, const PreparedRank& rank,
                              const engine::TrainingState& state, const StopSignal& stop) {
    return StoreState(world, coordinator, file, config, rank, state, stop);
  };
  tools.load_checkpoint = [world](const std::function<v1::NodeAddress()>& coordinator, uint64_t job,
                                  const v1::JobFile& file, const engine::TrainingConfig& config,
                                  const PreparedRank& rank, const StopSignal& stop) {
    return LoadCheckpoint(world, coordinator, job, file, config, rank, stop);
  };
  tools.export_model = [world](const v1::PrepareRank& order, const std::function<v1::NodeAddress()>& coordinator,
                               const engine::TrainingConfig& config, const PreparedRank& rank, engine::ThreadPool& pool,
                               const StopSignal& stop) {
    return ExportModel(world, order.job(), coordinator, config, rank, pool, stop);
  };
  tools.clean_up = [world](const std::set<uint64_t>& jobs) { CleanUp(world, jobs); };
  return tools;
}

}  // namespace enigma::worker
