#include "worker/batching/sequence_book.h"

#include <algorithm>
#include <utility>

#include <absl/strings/str_cat.h>

#include "engine/spec/sampling_params.h"
#include "engine/text/given_row.h"

namespace enigma::worker {

using engine::BlocksFor;

SequenceBook::SequenceBook(const Options& options) : options_(options), blocks_(options.kv_blocks) {}

absl::Status SequenceBook::Open(v1::OpenSequence open) {
  const uint64_t prompt = static_cast<uint64_t>(open.prompt_size());
  if (prompt == 0) return absl::InvalidArgumentError("the prompt has no tokens");
  if (arrival_of_.contains(open.sequence())) {
    return absl::AlreadyExistsError(absl::StrCat("sequence ", open.sequence(), " is already running"));
  }
  const bool pooled = open.pooling() != v1::POOLING_NONE;
  const bool only_read = pooled || open.has_labels();  // no token comes of it
  if (only_read && prompt > options_.context) {
    return absl::InvalidArgumentError(absl::StrCat("the text has ", prompt, " tokens, the context holds ",
                                                   options_.context,
                                                   "; shorten it, or load the model with a larger context"));
  }
  if (!only_read && prompt >= options_.context) {
    return absl::InvalidArgumentError(absl::StrCat("the prompt has ", prompt,
                                                   " tokens and leaves no room in a context of ", options_.context,
                                                   "; shorten it, or load the model with a larger context"));
  }
  const uint64_t budget =
      open.sampling().has_max_tokens() ? open.sampling().max_tokens() : engine::SamplingParams{}.max_tokens;
  if (budget == 0 && !only_read) return absl::InvalidArgumentError("max_tokens is 0; ask for at least one token");
  // The last token sampled is never fed back, so it needs no place in the cache.
  const uint64_t answer = only_read ? 0 : budget - 1;
  const auto most = static_cast<uint32_t>(std::min<uint64_t>(prompt + answer, options_.context));
  if (BlocksFor(most) > options_.kv_blocks) {
    return absl::ResourceExhaustedError(
        absl::StrCat("a prompt of ", prompt, " tokens", only_read ? "" : absl::StrCat(" with max_tokens ", budget),
                     " needs ", BlocksFor(most), " KV blocks of 32 tokens; the replica has ", options_.kv_blocks,
                     "; lower max_tokens, or load the model with more KV memory"));
  }
  if (sequences_.size() >= options_.max_sequences) {
    return absl::ResourceExhaustedError(
        absl::StrCat("the replica already has ", sequences_.size(), " sequences, its limit; try again later"));
  }
  const uint64_t arrival = next_arrival_++;
  arrival_of_[open.sequence()] = arrival;
  Sequence& sequence = sequences_[arrival];
  sequence.id = open.sequence();
  sequence.tokens.assign(open.prompt().begin(), open.prompt().end());
  // Stays here: later stages take no rows beside tokens.
  sequence.given.assign(open.given().begin(), open.given().end());
  open.clear_given();
  sequence.tokens_most = most;
  sequence.pooled = pooled;
  sequence.open = std::move(open);
  return absl::OkStatus();
}

bool SequenceBook::Cancel(uint64_t sequence) {
  const auto found = arrival_of_.find(sequence);
  if (found == arrival_of_.end()) return false;
  Forget(found->second);
  return true;
}

std::vector<uint64_t> SequenceBook::CancelAll() {
  std::vector<uint64_t> ids;
  while (!sequences_.empty()) {
    ids.push_back(sequences_.begin()->second.id);
    Forget(sequences_.begin()->first);
  }
  return ids;
}

size_t SequenceBook::running() const {
  return static_cast<size_t>(
      std::count_if(sequences_.begin(), sequences_.end(), [](const auto& entry) { return entry.second.started; }));
}

std::optional<StepPlan> SequenceBook::FormStep() {
  if (steps_in_flight() >= options_.stage_count) return std::nullopt;
  const StepChoice choice = ChooseStep(View());
  if (choice.runs.empty() && closes_.empty()) return std::nullopt;

  std::vector<Sequence*> by_index;
  for (auto& [arrival, sequence] : sequences_) by_index.push_back(&sequence);
  for (const size_t index : choice.preempted) Preempt(*by_index[index]);
  StepPlan plan;
  plan.step = next_step_++;
  plan.closes = std::exchange(closes_, {});
  for (const RunChoice& run : choice.runs) plan.runs.push_back(PlanRun(*by_index[run.index], run, plan));
  return plan;
}

absl::Status SequenceBook::Finish(uint64_t step, std::span<const SampledToken> sampled) {
  if (step != finished_steps_ || step >= next_step_) {
    return absl::FailedPreconditionError(
        absl::StrCat("step ", step, " was reported done; step ", finished_steps_, " is the next to finish"));
  }
  ++finished_steps_;
  for (const SampledToken& token : sampled) {
    const auto found = arrival_of_.find(token.sequence);
    if (found == arrival_of_.end()) continue;
    Sequence& sequence = sequences_.at(found->second);
    if (!sequence.sampling || token.position != sequence.tokens.size()) {
      return absl::FailedPreconditionError(absl::StrCat("sequence ", token.sequence, " got a token for position ",
                                                        token.position, " and has ", sequence.tokens.size(),
                                                        " tokens"));
    }
    sequence.sampling = false;
    sequence.tokens.push_back(token.id);
    if (token.finished || sequence.tokens.size() > sequence.tokens_most) Forget(found->second);
  }
  return absl::OkStatus();
}

BatchView SequenceBook::View() const {
  BatchView view{.sequences = {},
                 .free_blocks = blocks_.free_count(),
                 .max_rows = options_.max_rows,
                 .max_logit_rows = options_.max_logit_rows,
                 .stage_count = options_.stage_count,
                 .steps_in_flight = steps_in_flight()};
  view.sequences.reserve(sequences_.size());
  for (const auto& [arrival, sequence] : sequences_) {
    view.sequences.push_back({.sequence = sequence.id,
                              .known = static_cast<uint32_t>(sequence.tokens.size()),
                              .computed = sequence.computed,
                              .blocks = static_cast<uint32_t>(sequence.blocks.size()),
                              .blocks_most = BlocksFor(sequence.tokens_most),
                              .pooled = sequence.pooled,
                              .started = sequence.started,
                              .sampling = sequence.sampling});
  }
  return view;
}

void SequenceBook::Preempt(Sequence& sequence) {
  ++preemptions_;
  for (const uint32_t block : sequence.blocks) blocks_.Free(block);
  sequence.blocks.clear();
  sequence.computed = 0;
  sequence.started = false;
  sequence.reset = true;
}

PlannedRun SequenceBook::PlanRun(Sequence& sequence, const RunChoice& choice, StepPlan& plan) {
  PlannedRun run;
  run.sequence = sequence.id;
  run.first = sequence.computed;
  run.count = choice.count;
  for (uint32_t i = 0; i < choice.new_blocks; ++i) {
    run.new_blocks.push_back(*blocks_.Allocate());  // the policy counted the free ones
    sequence.blocks.push_back(run.new_blocks.back());
  }
  run.reset_blocks = std::exchange(sequence.reset, false);
  sequence.started = true;
  sequence.computed += choice.count;
  run.logits = sequence.computed == sequence.tokens.size();
  sequence.sampling = run.logits;
  if (sequence.open) plan.opens.push_back(*std::exchange(sequence.open, std::nullopt));
  plan.tokens.insert(plan.tokens.end(), sequence.tokens.begin() + run.first,
                     sequence.tokens.begin() + sequence.computed);
  AddGiven(sequence, run.first, plan);
  return run;
}

void SequenceBook::AddGiven(const Sequence& sequence, uint32_t first, StepPlan& plan) {
  if (sequence.given.empty()) return;
  const auto rows_before = [&sequence](uint32_t position) {
    return std::count(sequence.tokens.begin(), sequence.tokens.begin() + position, engine::kGivenRow);
  };
  const auto width = std::ssize(sequence.given) / rows_before(static_cast<uint32_t>(sequence.tokens.size()));
  plan.given.insert(plan.given.end(), sequence.given.begin() + width * rows_before(first),
                    sequence.given.begin() + width * rows_before(sequence.computed));
}

void SequenceBook::Forget(uint64_t arrival) {
  Sequence& sequence = sequences_.at(arrival);
  for (const uint32_t block : sequence.blocks) blocks_.Free(block);
  // Stages that never heard of it need not hear of its end; of one with a constraint the last stage has heard.
  if (!sequence.open || sequence.open->constrained()) closes_.push_back(sequence.id);
  arrival_of_.erase(sequence.id);
  sequences_.erase(arrival);
}

}  // namespace enigma::worker
