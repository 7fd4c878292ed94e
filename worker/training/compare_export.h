#pragma once

#include <string>

#include <absl/status/statusor.h>

#include "engine/spec/training_config.h"
#include "engine/tensor/thread_pool.h"
#include "worker/training/rank_tools.h"

namespace enigma::worker {

// Runs what was exported as it is served over the beginning of the first document that training saw, with its picture
// where it has one, and compares the logits with the trainer's: the largest difference. DataLoss where it is more than
// the rounding of what is stored explains. `encoder`: the image encoder's file; empty where the job trains none.
absl::StatusOr<double> CompareExport(const std::string& decoder, const std::string& encoder,
                                     const engine::TrainingConfig& config, const PreparedRank& rank,
                                     engine::ThreadPool& pool);

}  // namespace enigma::worker
