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
    constraints_.emplace(*loaded_.tokenizer);
    sampler_.emplace(*loaded_.tokenizer, *constraints_, loaded_.stage->spec().vocab, loaded_.stage->context());
    pooler_.emplace(loaded_.stage->spec().hidden);
  }
}

absl::StatusOr<StepRunner::Result> StepRunner::Run(const StepPlan& plan, std::span<const float> hidden) {
  if (sampler_) ENIGMA_RETURN_IF_ERROR(OpenAndClose(plan));
  engine::Batch batch;
  ENIGMA_ASSIGN_OR_RETURN(batch.runs, table_.Apply(plan));
  if (pooler_) AskForStates(plan, batch.runs);
  Result result;
  if (batch.runs.empty()) return result;  // a plan that only closes sequences
  if (loaded_.stage->is_first()) {
    batch.tokens = plan.tokens;
    batch.given = plan.given;
  } else {
    batch.hidden = hidden;
  }
  engine::Stage::Output output;
  {
    absl::MutexLock lock(&turn_);
    ENIGMA_ASSIGN_OR_RETURN(output, loaded_.stage->Forward(batch));
  }
  result.hidden = output.hidden;
  if (sampler_) ENIGMA_RETURN_IF_ERROR(Conclude(plan, output, result));
  return result;
}

absl::Status StepRunner::OpenAndClose(const StepPlan& plan) {
  for (const uint64_t sequence : plan.closes) {
    sampler_->Close(sequence);
    pooler_->Close(sequence);
  }
  for (const v1::OpenSequence& open : plan.opens) {
    if (open.pooling() == v1::POOLING_NONE) {
      sampler_->Open(open);
    } else {
      ENIGMA_RETURN_IF_ERROR(pooler_->Open(open));
    }
  }
  return absl::OkStatus();
}

void StepRunner::AskForStates(const StepPlan& plan, std::vector<engine::SequenceRun>& runs) const {
  for (size_t i = 0; i < runs.size(); ++i) {
    const std::optional<uint32_t> states = pooler_->Wants(plan.runs[i]);
    if (!states) continue;
    runs[i].states = *states;
    runs[i].logits = false;
  }
}

absl::Status StepRunner::Conclude(const StepPlan& plan, const engine::Stage::Output& output, Result& result) {
  const size_t vocab = loaded_.stage->spec().vocab;
  const size_t hidden = loaded_.stage->spec().hidden;
  std::span<const float> logits = output.logits;
  std::span<const float> states = output.states;
  for (const PlannedRun& run : plan.runs) {
    if (const std::optional<uint32_t> wanted = pooler_->Wants(run)) {
      if (states.size() < *wanted * hidden)
        return absl::InternalError("the stage gave fewer states than were asked for");
      v1::TokenEvent event;
      ENIGMA_ASSIGN_OR_RETURN(const std::optional<SampledToken> done,
                              pooler_->Add(run, states.first(*wanted * hidden), event));
      states = states.subspan(*wanted * hidden);
      if (!done) continue;
      result.sampled.push_back(*done);
      *result.events.add_events() = std::move(event);
      continue;
    }
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
