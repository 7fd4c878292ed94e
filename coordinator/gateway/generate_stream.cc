#include "coordinator/gateway/generate_stream.h"

#include <algorithm>
#include <utility>
#include <vector>

#include <absl/strings/str_cat.h>

#include "base/counter_random.h"
#include "base/status_macros.h"
#include "coordinator/gateway/prompt.h"
#include "rpc/status_conversion.h"

namespace enigma::coordinator {

GenerateStream::GenerateStream(ControlPlane& plane, const Options& options, enigma::v1::GenerateRequest request)
    : plane_(plane), options_(options), request_(std::move(request)), arrived_(plane.clock.Monotonic()) {}

std::shared_ptr<GenerateStream> GenerateStream::Make(ControlPlane& plane, const Options& options,
                                                     enigma::v1::GenerateRequest request) {
  std::shared_ptr<GenerateStream> stream(new GenerateStream(plane, options, std::move(request)));
  stream->self_ = stream;
  return stream;
}

void GenerateStream::Begin() {
  if (const absl::Status submitted = Submit(); !submitted.ok()) Fail(submitted);
}

void GenerateStream::Fail(const absl::Status& why) {
  absl::MutexLock lock(&mutex_);
  EndLocked(why);
}

absl::Status GenerateStream::Submit() {
  ENIGMA_ASSIGN_OR_RETURN(enigma::v1::OpenSequence open, Prepare());
  std::string model;
  {
    absl::MutexLock lock(&mutex_);
    if (cancelled_) return absl::CancelledError("the client went away");
    model = model_->name;
  }
  plane_.metrics.Counter(Metric::kPromptTokens, {{"model_name", model}}).Increment(open.prompt_size());
  ENIGMA_ASSIGN_OR_RETURN(const uint64_t ticket, plane_.dispatcher.Submit(model, std::move(open), shared_from_this()));
  bool cancelled = false;
  {
    absl::MutexLock lock(&mutex_);
    ticket_ = ticket;
    cancelled = cancelled_ || unwanted_;
  }
  if (cancelled) plane_.dispatcher.Cancel(ticket);
  return absl::OkStatus();
}

absl::StatusOr<enigma::v1::OpenSequence> GenerateStream::Prepare() {
  ENIGMA_ASSIGN_OR_RETURN(const ServedModel served, FindServed(plane_, request_.model()));
  ENIGMA_ASSIGN_OR_RETURN(const TokenizerPtr tokenizer, plane_.files.Tokenizer(*served.model));
  ENIGMA_ASSIGN_OR_RETURN(enigma::v1::OpenSequence open, MakeSequence(request_, served, *tokenizer));
  if (!open.sampling().has_seed()) open.mutable_sampling()->set_seed(SystemRandom64());

  absl::MutexLock lock(&mutex_);
  model_ = served.model;
  text_.emplace(tokenizer, std::vector<std::string>(open.sampling().stop().begin(), open.sampling().stop().end()),
                open.sampling().top_logprobs() > 0);
  pending_.set_model(model_->name);
  *pending_.mutable_prompt_ids() = open.prompt();
  return open;
}

void GenerateStream::OnStart(const Replica& replica) {
  absl::MutexLock lock(&mutex_);
  if (end_) return;
  queue_seconds_ = SecondsSinceArrival();
  contract_ = replica.contract;
  for (const auto& stage : replica.stages) pending_.add_nodes(stage.node_id());
  has_pending_ = true;
  FlushLocked();
}

void GenerateStream::OnTokens(std::span<const enigma::v1::TokenEvent* const> events) {
  bool stop_sequence = false;
  {
    absl::MutexLock lock(&mutex_);
    if (end_) return;
    const MetricLabels labels = {{"model_name", model_->name}};
    for (const enigma::v1::TokenEvent* event : events) {
      if (event->has_token()) {
        const double now = SecondsSinceArrival();
        if (first_token_seconds_ < 0) {
          first_token_seconds_ = now;
          plane_.metrics.Histogram(Metric::kTimeToFirstToken, labels).Observe(now);
        } else {
          plane_.metrics.Histogram(Metric::kTimePerOutputToken, labels).Observe(now - last_token_seconds_);
        }
        last_token_seconds_ = now;
        ++tokens_;
      }
      const bool stopped = text_->Add(*event, pending_);
      has_pending_ = true;
      if (!event->finish_reason().empty() || stopped) {
        // The last stage watches for stop strings too, so it seldom has to be told.
        stop_sequence = event->finish_reason().empty();
        Conclude(stopped ? "stop" : event->finish_reason());
        break;
      }
    }
    if (!end_ && pending_.ids_size() > options_.pending_tokens_max) {
      stop_sequence = true;
      EndLocked(absl::ResourceExhaustedError(
          absl::StrCat("the client reads too slowly: ", pending_.ids_size(), " tokens wait for it")));
    } else {
      FlushLocked();
    }
  }
  if (stop_sequence) CancelSequence();
}

void GenerateStream::OnEnd(const absl::Status& status) {
  absl::MutexLock lock(&mutex_);
  if (status.ok() && !end_) return EndLocked(absl::InternalError("the sequence ended without a reason"));
  EndLocked(status);
}

void GenerateStream::Conclude(std::string_view finish_reason) {
  text_->Finish(pending_);
  pending_.set_finish_reason(std::string(finish_reason));
  pending_.set_contract(contract_);
  pending_.set_queue_seconds(queue_seconds_);
  pending_.set_first_token_seconds(std::max(first_token_seconds_, 0.0));
  pending_.set_total_seconds(SecondsSinceArrival());
  plane_.metrics
      .Counter(Metric::kRequestsFinished,
               {{"model_name", model_->name}, {"finished_reason", std::string(finish_reason)}})
      .Increment();
  EndLocked(absl::OkStatus());
}

void GenerateStream::EndLocked(const absl::Status& status) {
  if (end_) return;
  end_ = status;
  if (model_ != nullptr) {
    const MetricLabels labels = {{"model_name", model_->name}};
    plane_.metrics.Counter(Metric::kGenerationTokens, labels).Increment(static_cast<double>(tokens_));
    plane_.metrics.Histogram(Metric::kRequestSeconds, labels).Observe(SecondsSinceArrival());
  }
  // What was made before a failure is still the client's; a request that never started has nothing to show.
  FlushLocked();
}

void GenerateStream::FlushLocked() {
  if (is_writing_ || finished_) return;
  if (has_pending_ && !cancelled_) {
    std::swap(writing_, pending_);
    pending_.Clear();
    has_pending_ = false;
    is_writing_ = true;
    StartWrite(&writing_);
    return;
  }
  if (end_) {
    finished_ = true;
    Finish(ToGrpc(*end_));
  }
}

void GenerateStream::OnWriteDone(bool ok) {
  absl::MutexLock lock(&mutex_);
  is_writing_ = false;
  if (!ok) has_pending_ = false;  // OnCancel comes, or has come
  FlushLocked();
}

void GenerateStream::OnCancel() {
  {
    absl::MutexLock lock(&mutex_);
    cancelled_ = true;
    EndLocked(absl::CancelledError("the client went away"));
    FlushLocked();
  }
  CancelSequence();
}

void GenerateStream::CancelSequence() {
  uint64_t ticket = 0;
  {
    absl::MutexLock lock(&mutex_);
    ticket = ticket_;
    unwanted_ = true;
  }
  if (ticket != 0) plane_.dispatcher.Cancel(ticket);
}

void GenerateStream::OnDone() { self_.reset(); }

}  // namespace enigma::coordinator
