#include "worker/pipeline/sequence_table.h"

#include <absl/container/flat_hash_set.h>
#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "engine/kv_cache/block_table.h"

namespace enigma::worker {

absl::StatusOr<std::vector<engine::SequenceRun>> SequenceTable::Apply(const StepPlan& plan) {
  for (const uint64_t sequence : plan.closes) blocks_.erase(sequence);
  if (plan.rows() > options_.max_rows) {
    return absl::InvalidArgumentError(
        absl::StrCat("step ", plan.step, " has ", plan.rows(), " rows, this stage takes ", options_.max_rows));
  }
  absl::flat_hash_set<uint64_t> in_step;
  for (const PlannedRun& run : plan.runs) {
    if (!in_step.insert(run.sequence).second) {
      return absl::InvalidArgumentError(absl::StrCat("step ", plan.step, " runs sequence ", run.sequence, " twice"));
    }
    ENIGMA_RETURN_IF_ERROR(AddBlocks(run));
  }
  std::vector<engine::SequenceRun> runs;
  runs.reserve(plan.runs.size());
  for (const PlannedRun& run : plan.runs) {
    runs.push_back({.first = run.first, .count = run.count, .blocks = blocks_.at(run.sequence), .logits = run.logits});
  }
  return runs;
}

absl::Status SequenceTable::AddBlocks(const PlannedRun& run) {
  if (run.first > options_.context || run.count > options_.context - run.first) {
    return absl::InvalidArgumentError(absl::StrCat("sequence ", run.sequence, ": positions up to ",
                                                   uint64_t{run.first} + run.count, " in a context of ",
                                                   options_.context));
  }
  if (blocks_.size() >= options_.max_sequences && !blocks_.contains(run.sequence)) {
    return absl::ResourceExhaustedError(absl::StrCat("more than ", options_.max_sequences, " sequences"));
  }
  std::vector<uint32_t>& blocks = blocks_[run.sequence];
  if (run.reset_blocks) blocks.clear();
  for (const uint32_t block : run.new_blocks) {
    if (block >= options_.kv_blocks) {
      return absl::InvalidArgumentError(
          absl::StrCat("sequence ", run.sequence, ": block ", block, " of ", options_.kv_blocks));
    }
    blocks.push_back(block);
  }
  if (blocks.size() < engine::BlocksFor(run.first + run.count)) {
    return absl::InvalidArgumentError(absl::StrCat("sequence ", run.sequence, ": ", blocks.size(),
                                                   " blocks do not hold ", run.first + run.count, " tokens"));
  }
  return absl::OkStatus();
}

}  // namespace enigma::worker
