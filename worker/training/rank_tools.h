#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <absl/status/statusor.h>

#include "engine/checkpoint/safetensors_writer.h"
#include "engine/collective/communicator.h"
#include "engine/spec/training_config.h"
#include "engine/tensor/thread_pool.h"
#include "engine/training/rank_trainer.h"
#include "engine/training/state_file.h"
#include "proto/rank.pb.h"
#include "worker/layer_cache/piece_fetcher.h"
#include "worker/training/stop_signal.h"

namespace enigma::worker {

// A rank's trainer, and what belongs to it.
struct PreparedRank {
  std::unique_ptr<engine::RankTrainer> trainer;
  std::function<double(uint64_t step)> data_epoch;  // of the corpus, that lie behind after so many steps
  double flops_per_second = 0;                      // of its products; 0: not measured
  engine::JobIdentity identity;                     // goes into the state's files
  // What an export needs.
  std::string tokenizer_path;
  std::shared_ptr<const engine::SlotLoader> slots;
};

// What is stored at the coordinator, and under which name.
struct StoredFile {
  uint64_t job = 0;
  std::string kind;  // "checkpoint", "gguf", ...
  uint64_t step = 0;
  uint64_t epoch = 0;
  std::optional<v1::ValidationRecord> validations = {};  // of a checkpoint
};

// What came of an export.
struct ModelExport {
  double largest_difference = 0;  // between the logits of the trainer and of the file
  std::string remark;             // of a router: how often it is right, for people; else empty
};

// What a rank does with the world outside of it: fetch, connect, store. A test has its own. Functions may be called
// from several threads; those that take a signal end soon after it.
struct RankTools {
  // Bytes of memory that a rank takes.
  std::function<uint64_t(const engine::TrainingConfig& config)> memory_bytes;
  // Fetches what is missing, checks it, and builds the trainer.
  std::function<absl::StatusOr<PreparedRank>(const v1::PrepareRank& order, const engine::TrainingConfig& config,
                                             engine::ThreadPool& pool, FetchProgress& progress, const StopSignal& stop)>
      prepare;
  // Links to all ranks of the epoch, all of which are there then. Null where there is but one.
  std::function<absl::StatusOr<std::unique_ptr<engine::Communicator>>(uint64_t job, const v1::BeginEpoch& begin,
                                                                      const StopSignal& stop)>
      open_epoch;
  // The state of another worker's rank.
  std::function<absl::StatusOr<engine::TrainingState>(const v1::NodeAddress& source, uint64_t job, uint64_t step,
                                                      const engine::TrainingConfig& config, const PreparedRank& rank,
                                                      const StopSignal& stop)>
      fetch_state;
  // Hands a state on as the other side's fetch_state wants it: how long it is, then its bytes.
  std::function<absl::Status(const engine::TrainingConfig& config, const PreparedRank& rank,
                             const engine::TrainingState& state, const std::function<void(uint64_t bytes)>& total,
                             const engine::ByteSink& sink)>
      write_state;
  std::function<absl::Status(const v1::NodeAddress& coordinator, const StoredFile& file,
                             const engine::TrainingConfig& config, const PreparedRank& rank,
                             const engine::TrainingState& state, const StopSignal& stop)>
      store_state;
  // A state that the coordinator has; where it is away for a while, that is waited for, and asked where it is by now.
  std::function<absl::StatusOr<engine::TrainingState>(const std::function<v1::NodeAddress()>& coordinator, uint64_t job,
                                                      const v1::JobFile& file, const engine::TrainingConfig& config,
                                                      const PreparedRank& rank, const StopSignal& stop)>
      load_checkpoint;
  // Writes the model, checks and stores it. `coordinator`: where that is by now, asked before each attempt to store.
  std::function<absl::StatusOr<ModelExport>(
      const v1::PrepareRank& order, const std::function<v1::NodeAddress()>& coordinator,
      const engine::TrainingConfig& config, const PreparedRank& rank, engine::ThreadPool& pool, const StopSignal& stop)>
      export_model;
  // Removes what is kept on disk for jobs, but for these.
  std::function<void(const std::set<uint64_t>& jobs)> clean_up;
};

}  // namespace enigma::worker
