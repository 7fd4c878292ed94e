#pragma once

#include <cstdint>
#include <vector>

#include <absl/container/flat_hash_map.h>
#include <absl/status/statusor.h>

#include "engine/model/stage.h"
#include "worker/batching/step_plan.h"

namespace enigma::worker {

// The block tables of a stage, kept by obeying plans. Trusts no plan: block ids, positions and lengths are checked. Not
// thread-safe; lives on the stage's compute thread.
class SequenceTable {
 public:
  struct Options {
    uint32_t kv_blocks = 0;
    uint32_t context = 0;
    uint32_t max_rows = 0;
    uint32_t max_sequences = 65536;
  };
  explicit SequenceTable(const Options& options) : options_(options) {}

  // Applies closes and block operations; returns the plan's runs as the engine wants them, valid until the next call.
  // InvalidArgument naming sequence and field for a plan that this stage cannot obey.
  absl::StatusOr<std::vector<engine::SequenceRun>> Apply(const StepPlan& plan);
  size_t sequences() const { return blocks_.size(); }

 private:
  absl::Status AddBlocks(const PlannedRun& run);

  const Options options_;
  absl::flat_hash_map<uint64_t, std::vector<uint32_t>> blocks_;
};

}  // namespace enigma::worker
