#include "coordinator/gateway/generation.h"

#include <algorithm>
#include <utility>
#include <vector>

#include <absl/strings/str_cat.h>
#include <absl/strings/str_format.h>

#include "base/counter_random.h"
#include "base/status_macros.h"
#include "coordinator/gateway/caller.h"
#include "coordinator/gateway/chat_prompt.h"
#include "coordinator/gateway/prompt.h"
#include "engine/spec/sampling_params.h"

namespace enigma::coordinator {

Generation::Generation(ControlPlane& plane, const Options& options, enigma::v1::GenerateRequest request, Ready ready)
    : plane_(plane),
      options_(options),
      request_(std::move(request)),
      ready_(std::move(ready)),
      arrived_(plane.clock.Monotonic()) {}

std::shared_ptr<Generation> Generation::Make(ControlPlane& plane, const Options& options,
                                             enigma::v1::GenerateRequest request, Ready ready) {
  return std::shared_ptr<Generation>(new Generation(plane, options, std::move(request), std::move(ready)));
}

void Generation::Begin(std::shared_ptr<RequestAdmission> admission, bool repeats_prompt) {
  admission_ = std::move(admission);
  absl::StatusOr<enigma::v1::OpenSequence> open = Prepare();
  if (!open.ok()) return Fail(open.status());
  const uint64_t prompt_tokens = repeats_prompt ? 0 : static_cast<uint64_t>(open->prompt_size());
  const uint64_t answer_tokens = EstimateAnswerTokens(open->sampling());
  // Weak: a front that goes, or another choice that fails, ends it while it waits.
  admission_->Arrive(prompt_tokens, answer_tokens,
                     [weak = weak_from_this(), open = *std::move(open)](const absl::Status& admitted) {
                       const std::shared_ptr<Generation> alive = weak.lock();
                       if (alive == nullptr) return;
                       if (!admitted.ok()) return alive->Fail(admitted);
                       if (alive->options_.pictures != nullptr) return alive->SubmitWithPictures(open);
                       const absl::Status submitted = alive->Submit(open);
                       if (!submitted.ok()) alive->Fail(submitted);
                     });
}

void Generation::SubmitWithPictures(enigma::v1::OpenSequence open) {
  std::string model;
  {
    absl::MutexLock lock(&mutex_);
    if (end_) return;
    model = model_->name;
  }
  // Weak: as long as it waits for rows, its front alone keeps it.
  const uint64_t asked = options_.pictures->Encode(
      plane_.dispatcher.encoders(), model,
      [weak = weak_from_this(), open = std::move(open)](const absl::StatusOr<PictureRows>& rows) {
        const std::shared_ptr<Generation> alive = weak.lock();
        if (alive == nullptr) return;
        if (!rows.ok()) return alive->Fail(rows.status());
        const absl::Status submitted = alive->Submit(open, *rows);
        if (!submitted.ok()) alive->Fail(submitted);
      });
  bool ended = false;
  {
    absl::MutexLock lock(&mutex_);
    pictures_asked_ = asked;
    ended = end_.has_value();
  }
  if (ended) LeavePictures();
}

void Generation::LeavePictures() {
  uint64_t asked = 0;
  {
    absl::MutexLock lock(&mutex_);
    asked = pictures_asked_;
  }
  if (asked != 0) options_.pictures->Leave(asked);
}

void Generation::Fail(const absl::Status& why) {
  {
    absl::MutexLock lock(&mutex_);
    EndLocked(why);
  }
  LeavePictures();
  ready_();
}

absl::Status Generation::Submit(enigma::v1::OpenSequence open, PictureRows rows) {
  std::string model;
  {
    absl::MutexLock lock(&mutex_);
    if (cancelled_) return absl::CancelledError("the client went away");
    if (end_) return *end_;  // while its pictures were encoded
    model = model_->name;
    prompt_tokens_ = static_cast<uint64_t>(open.prompt_size());  // its tokens may come before Submit is back
  }
  const absl::StatusOr<uint64_t> ticket =
      plane_.dispatcher.Submit(model, request_.priority(), std::move(open), shared_from_this(), std::move(rows));
  bool cancelled = false;
  {
    absl::MutexLock lock(&mutex_);
    if (!ticket.ok()) {
      prompt_tokens_ = 0;
      return Counted(ticket.status());
    }
    ticket_ = *ticket;
    cancelled = cancelled_ || unwanted_;
  }
  if (cancelled) plane_.dispatcher.Cancel(*ticket);
  return absl::OkStatus();
}

absl::StatusOr<enigma::v1::OpenSequence> Generation::Prepare() {
  ENIGMA_ASSIGN_OR_RETURN(const ServedModel served, FindServed(plane_, request_.model()));
  if (options_.pictures != nullptr) {
    ENIGMA_RETURN_IF_ERROR(options_.pictures->Admit(plane_.intake, *served.model, options_.choices));
  }
  // A full queue is told before anything is tokenised for it.
  ENIGMA_RETURN_IF_ERROR(Counted(plane_.dispatcher.Admits(served.model->name, request_.priority())));
  ENIGMA_ASSIGN_OR_RETURN(const TokenizerPtr tokenizer, plane_.files.Tokenizer(*served.model));
  enigma::v1::GenerateRequest request = request_;
  const size_t pictures = options_.pictures == nullptr ? 0 : options_.pictures->size();
  ToolPlan tools;
  if (request.has_chat()) {
    ENIGMA_ASSIGN_OR_RETURN(tools, ApplyChat(plane_, *served.model, *tokenizer, pictures > 0, request));
  }
  ENIGMA_ASSIGN_OR_RETURN(enigma::v1::OpenSequence open, MakeSequence(request, served, *tokenizer, pictures));
  if (open.sampling().has_json_schema()) {
    const absl::Status checked = plane_.schemas.Check(open.sampling().json_schema());
    if (!checked.ok()) return absl::Status(checked.code(), absl::StrCat("json_schema: ", checked.message()));
  }
  if (!open.sampling().has_seed()) open.mutable_sampling()->set_seed(SystemRandom64());

  absl::MutexLock lock(&mutex_);
  model_ = served.model;
  metrics_.emplace(plane_.metrics, model_->name);
  text_.emplace(tokenizer, std::vector<std::string>(open.sampling().stop().begin(), open.sampling().stop().end()),
                open.sampling().top_logprobs() > 0,
                std::vector<int32_t>(request.shown_tokens().begin(), request.shown_tokens().end()));
  reader_ = tools.MakeReader();
  pending_.set_model(model_->name);
  *pending_.mutable_prompt_ids() = open.prompt();
  return open;
}

absl::Status Generation::Counted(const absl::Status& of_dispatcher) const {
  if (absl::IsResourceExhausted(of_dispatcher) && admission_->IsFirstRefused()) {
    GenerationMetrics::RejectionsOf(plane_.metrics, request_.model()).Increment();
  }
  return of_dispatcher;
}

void Generation::OnStart(const Replica& replica) {
  {
    absl::MutexLock lock(&mutex_);
    if (end_) return;
    queue_seconds_ = SecondsSinceArrival();
    metrics_->queued.Observe(queue_seconds_);
    // Before its first token, so that whoever has read an answer finds it counted.
    metrics_->prompt_tokens.Increment(static_cast<double>(prompt_tokens_));
    metrics_->prompt_length.Observe(static_cast<double>(prompt_tokens_));
    metrics_->answer_length_asked.Observe(request_.sampling().has_max_tokens() ? request_.sampling().max_tokens()
                                                                               : engine::SamplingParams{}.max_tokens);
    contract_ = replica.contract;
    for (const auto& stage : replica.stages) pending_.add_nodes(stage.node_id());
    has_pending_ = !options_.starts_with_token;
  }
  ready_();
}

bool Generation::AddEvent(const enigma::v1::TokenEvent& event) {
  if (event.has_token()) {
    const double now = SecondsSinceArrival();
    if (first_token_seconds_ < 0) {
      first_token_seconds_ = now;
      metrics_->first_token.Observe(now);
    } else {
      metrics_->token_gap.Observe(now - last_token_seconds_);
      metrics_->token_gap_old_name.Observe(now - last_token_seconds_);
    }
    last_token_seconds_ = now;
    ++tokens_;
    metrics_->generation_tokens.Increment();
  }
  const bool stopped = text_->Add(event, pending_);
  has_pending_ = true;
  if (event.finish_reason().empty() && !stopped) return false;
  Conclude(stopped ? "stop" : event.finish_reason());
  return true;
}

void Generation::OnTokens(std::span<const enigma::v1::TokenEvent* const> events) {
  bool stop_sequence = false;
  {
    absl::MutexLock lock(&mutex_);
    if (end_) return;
    for (const enigma::v1::TokenEvent* event : events) {
      if (!AddEvent(*event)) continue;
      // The last stage watches for stop strings too, so it seldom has to be told.
      stop_sequence = event->finish_reason().empty();
      break;
    }
    if (!end_ && pending_.ids_size() > options_.pending_tokens_max) {
      stop_sequence = true;
      EndLocked(absl::ResourceExhaustedError(
          absl::StrCat("the client reads too slowly: ", pending_.ids_size(), " tokens wait for it")));
    }
  }
  ready_();
  if (stop_sequence) CancelSequence();
}

void Generation::OnEnd(const absl::Status& status) {
  Fail(status.ok() ? absl::InternalError("the sequence ended without a reason") : status);
}

void Generation::Conclude(std::string_view finish_reason) {
  text_->Finish(pending_);
  pending_.set_finish_reason(std::string(finish_reason));
  pending_.set_contract(contract_);
  pending_.set_queue_seconds(std::max(queue_seconds_, 0.0));
  pending_.set_first_token_seconds(std::max(first_token_seconds_, 0.0));
  pending_.set_total_seconds(SecondsSinceArrival());
  finish_reason_ = std::string(finish_reason);
  EndLocked(absl::OkStatus());
}

void Generation::EndLocked(const absl::Status& status) {
  if (end_) return;
  end_ = status;
  // One that was refused shows in none of these.
  if (prompt_tokens_ > 0) Measure(status);
}

void Generation::Measure(const absl::Status& status) {
  metrics_->CountEnd(!finish_reason_.empty() ? finish_reason_.c_str() : absl::IsCancelled(status) ? "abort" : "error");
  metrics_->whole.Observe(SecondsSinceArrival());
  metrics_->answer_length.Observe(static_cast<double>(tokens_));
  if (tokens_ == 0) return;
  metrics_->prefill.Observe(first_token_seconds_ - std::max(queue_seconds_, 0.0));
  metrics_->decode.Observe(last_token_seconds_ - first_token_seconds_);
  metrics_->inference.Observe(last_token_seconds_ - std::max(queue_seconds_, 0.0));
  if (tokens_ < 2) return;
  metrics_->token_mean.Observe((last_token_seconds_ - first_token_seconds_) / static_cast<double>(tokens_ - 1));
}

Generation::Taken Generation::Take(enigma::v1::GenerateChunk& chunk, absl::Status& end) {
  absl::MutexLock lock(&mutex_);
  if (has_pending_ && !cancelled_) {
    chunk.Clear();
    std::swap(chunk, pending_);
    has_pending_ = false;
    if (reader_ != nullptr) ReadCalls(chunk);
    return Taken::kChunk;
  }
  if (!end_) return Taken::kNothing;
  end = *end_;
  return Taken::kEnd;
}

void Generation::ReadCalls(enigma::v1::GenerateChunk& chunk) {
  std::vector<engine::ToolOutput> outputs = {reader_->Add(chunk.text())};
  if (!chunk.finish_reason().empty()) outputs.push_back(reader_->Finish());
  chunk.clear_text();
  for (const engine::ToolOutput& output : outputs) {
    chunk.mutable_text()->append(output.content);
    for (const engine::ToolOutput::Piece& piece : output.calls) {
      enigma::v1::ToolCallPiece& call = *chunk.add_tool_calls();
      call.set_call(static_cast<uint32_t>(piece.call));
      call.set_name(piece.name);
      call.set_arguments_json(piece.arguments);
      if (piece.name.empty()) continue;
      call.set_id(absl::StrFormat("call_%016x%016x", SystemRandom64(), SystemRandom64()));
      has_calls_ = true;
    }
  }
  // A length that cuts a call off stays one.
  if (has_calls_ && chunk.finish_reason() == "stop") chunk.set_finish_reason("tool_calls");
}

Generation::Used Generation::used() {
  absl::MutexLock lock(&mutex_);
  return {prompt_tokens_, tokens_};
}

void Generation::Cancel() {
  {
    absl::MutexLock lock(&mutex_);
    cancelled_ = true;
    EndLocked(absl::CancelledError("the client went away"));
  }
  LeavePictures();
  ready_();
  CancelSequence();
}

void Generation::CancelSequence() {
  uint64_t ticket = 0;
  {
    absl::MutexLock lock(&mutex_);
    ticket = ticket_;
    unwanted_ = true;
  }
  if (ticket != 0) plane_.dispatcher.Cancel(ticket);
}

}  // namespace enigma::coordinator
