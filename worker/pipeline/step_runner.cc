#include "worker/pipeline/step_runner.h"

#include <utility>

#include <absl/strings/str_cat.h>

#include "base/status_macros.h"

namespace enigma::worker {

StepRunner::StepRunner(LoadedStage loaded, const Options& options, absl::Mutex& turn)
    : loaded_(std::move(loaded)),
      table_({.kv_blocks = options.kv_blocks, .context = loaded_.stage->context(), .max_rows = options.max_rows}),
      turn_(turn) {
  if (loaded_.stage->is_last()) {
    sampler_.emplace(*loaded_.tokenizer, loaded_.stage->spec().vocab, loaded_.stage->context());
  }
}

absl::StatusOr<StepRunner::Result> StepRunner::Run(const StepPlan& plan, std::span<const float> hidden) {
  if (sampler_) {
    for (const uint64_t sequence : plan.closes) sampler_->Close(sequence);
    for (const v1::OpenSequence& open : plan.opens) ENIGMA_RETURN_IF_ERROR(sampler_->Open(open));
  }
  engine::Batch batch;
  ENIGMA_ASSIGN_OR_RETURN(batch.runs, table_.Apply(plan));
  Result result;
  if (batch.runs.empty()) return result;  // a plan that only closes sequences
  if (loaded_.stage->is_first()) {
    batch.tokens = plan.tokens;
  } else {
    batch.hidden = hidden;
  }
  engine::Stage::Output output;
  {
    absl::MutexLock lock(&turn_);
    ENIGMA_ASSIGN_OR_RETURN(output, loaded_.stage->Forward(batch));
  }
  result.hidden = output.hidden;
  if (sampler_) ENIGMA_RETURN_IF_ERROR(SampleRuns(plan, output.logits, result));
  return result;
}

absl::Status StepRunner::SampleRuns(const StepPlan& plan, std::span<const float> logits, Result& result) {
  const size_t vocab = loaded_.stage->spec().vocab;
  for (const PlannedRun& run : plan.runs) {
    if (!run.logits) continue;
    if (logits.size() < vocab) return absl::InternalError("the stage gave fewer logits than runs asked for");
    ENIGMA_ASSIGN_OR_RETURN(
        const SampledToken token,
        sampler_->Sample(run.sequence, run.first + run.count, logits.first(vocab), *result.events.add_events()));
    result.sampled.push_back(token);
    logits = logits.subspan(vocab);
  }
  return absl::OkStatus();
}

}  // namespace enigma::worker
