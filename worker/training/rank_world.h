#pragma once

#include <functional>
#include <set>
#include <string>

#include "worker/connection/node_channels.h"
#include "worker/layer_cache/layer_cache.h"
#include "worker/layer_cache/piece_fetcher.h"
#include "worker/training/incoming_streams.h"
#include "worker/training/rank_tools.h"

namespace enigma::worker {

// Where the ranks of a worker live. The references outlive the tools made of them.
struct RankWorld {
  std::string node_id;
  std::string jobs_dir;  // a folder per job: its files by hash, and what is exported
  const NodeChannels& channels;
  LayerCache& pieces;  // of models that jobs start from
  PieceFetcher& fetcher;
  IncomingStreams& incoming;     // links of other ranks
  bool trusted_network = false;  // what ranks sum may go over it in plain text

  std::string FolderOf(uint64_t job) const { return jobs_dir + "/" + std::to_string(job); }
};

// What ranks do in earnest: over gRPC, with files on this disk and the engine's own trainer.
RankTools MakeRankTools(const RankWorld& world);

// The parts of it, one file each; see RankTools.
absl::StatusOr<PreparedRank> PrepareRank(const RankWorld& world, const v1::PrepareRank& order,
                                         const engine::TrainingConfig& config, engine::ThreadPool& pool,
                                         FetchProgress& progress, const StopSignal& stop);
absl::StatusOr<engine::TrainingState> FetchState(const RankWorld& world, const v1::NodeAddress& source, uint64_t job,
                                                 uint64_t step, const engine::TrainingConfig& config,
                                                 const PreparedRank& rank, const StopSignal& stop);
absl::Status StoreState(const RankWorld& world, const v1::NodeAddress& coordinator, const StoredFile& file,
                        const engine::TrainingConfig& config, const PreparedRank& rank,
                        const engine::TrainingState& state, const StopSignal& stop);
absl::StatusOr<engine::TrainingState> LoadCheckpoint(const RankWorld& world,
                                                     const std::function<v1::NodeAddress()>& coordinator, uint64_t job,
                                                     const v1::JobFile& file, const engine::TrainingConfig& config,
                                                     const PreparedRank& rank, const StopSignal& stop);
absl::StatusOr<ModelExport> ExportModel(const RankWorld& world, uint64_t job,
                                        const std::function<v1::NodeAddress()>& coordinator,
                                        const engine::TrainingConfig& config, const PreparedRank& rank,
                                        engine::ThreadPool& pool, const StopSignal& stop);

}  // namespace enigma::worker
