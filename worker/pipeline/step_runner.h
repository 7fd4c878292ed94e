#pragma once

#include <memory>
#include <optional>
#include <span>
#include <vector>

#include <absl/status/statusor.h>
#include <absl/synchronization/mutex.h>

#include "engine/model/stage.h"
#include "engine/tensor/thread_pool.h"
#include "engine/text/tokenizer.h"
#include "engine/weights/weight_source.h"
#include "proto/worker.pb.h"
#include "worker/batching/step_plan.h"
#include "worker/pipeline/constraint_shelf.h"
#include "worker/pipeline/sequence_table.h"
#include "worker/pipeline/state_pooler.h"
#include "worker/pipeline/token_sampler.h"

namespace enigma::worker {

// A stage with all it needs, in the order in which it is to be taken down.
struct LoadedStage {
  std::unique_ptr<engine::ThreadPool> pool;
  std::unique_ptr<engine::WeightSource> weights;
  std::unique_ptr<engine::Stage> stage;
  std::unique_ptr<engine::Tokenizer> tokenizer;  // last stage only
};

// Computes steps: obeys the plan's block operations, runs the layers, and on the last stage samples and pools. Not
// thread-safe; lives on the compute thread.
class StepRunner {
 public:
  struct Options {
    uint32_t kv_blocks = 0;
    uint32_t max_rows = 0;  // of one step
  };
  // `turn` is held while the layers run: stages of one worker take turns rather than share its cores. Outlives this.
  StepRunner(LoadedStage loaded, const Options& options, absl::Mutex& turn);

  struct Result {
    std::span<const float> hidden;      // [rows, hidden]; all but the last stage; valid until the next Run
    std::vector<SampledToken> sampled;  // last stage
    v1::TokenEvents events;             // of the sampled tokens and the embeddings, for the coordinator
  };
  // `hidden`: what the previous stage made; empty on the first.
  absl::StatusOr<Result> Run(const StepPlan& plan, std::span<const float> hidden);

  const engine::Stage& stage() const { return *loaded_.stage; }
  // Last stage; null on others. Thread-safe, unlike the rest.
  ConstraintShelf* constraints() { return constraints_ ? &*constraints_ : nullptr; }
  size_t sequences() const { return table_.sequences(); }

 private:
  absl::Status OpenAndClose(const StepPlan& plan);
  void AskForStates(const StepPlan& plan, std::vector<engine::SequenceRun>& runs) const;
  absl::Status Conclude(const StepPlan& plan, const engine::Stage::Output& output, Result& result);

  LoadedStage loaded_;
  SequenceTable table_;
  // Last stage.
  std::optional<ConstraintShelf> constraints_;
  std::optional<TokenSampler> sampler_;
  std::optional<StatePooler> pooler_;
  absl::Mutex& turn_;
};

}  // namespace enigma::worker
