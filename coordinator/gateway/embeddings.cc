#include "coordinator/gateway/embeddings.h"

#include <algorithm>
#include <string>
#include <utility>

#include <absl/strings/str_join.h>

#include "base/status_macros.h"
#include "coordinator/gateway/embed_inputs.h"
#include "coordinator/gateway/generation_metrics.h"
#include "coordinator/gateway/prompt.h"
#include "engine/spec/unit_length.h"

namespace enigma::coordinator {
namespace {

// Inputs of one request in the dispatcher: enough to fill the steps of a replica, and a part only of its places.
constexpr size_t kAtATime = 32;

void AddOnce(std::vector<std::string>& list, const std::string& item) {
  if (std::find(list.begin(), list.end(), item) == list.end()) list.push_back(item);
}

}  // namespace

// Hears of one input.
class Embeddings::InputSink final : public TokenSink {
 public:
  InputSink(std::shared_ptr<Embeddings> owner, size_t index) : owner_(std::move(owner)), index_(index) {}

  void OnStart(const Replica& replica) override { owner_->Started(index_, replica); }
  void OnTokens(std::span<const enigma::v1::TokenEvent* const> events) override {
    for (const enigma::v1::TokenEvent* event : events) owner_->Arrived(index_, *event);
  }
  void OnEnd(const absl::Status& status) override { owner_->InputEnded(index_, status); }

 private:
  const std::shared_ptr<Embeddings> owner_;  // the dispatcher may hold on to it longer than the front
  const size_t index_;
};

Embeddings::Embeddings(ControlPlane& plane, enigma::v1::EmbedRequest request, Ready ready)
    : plane_(plane), request_(std::move(request)), ready_(std::move(ready)), arrived_(plane.clock.Monotonic()) {}

std::shared_ptr<Embeddings> Embeddings::Make(ControlPlane& plane, enigma::v1::EmbedRequest request, Ready ready) {
  return std::shared_ptr<Embeddings>(new Embeddings(plane, std::move(request), std::move(ready)));
}

void Embeddings::Begin(const TokenCharge& charge) {
  if (const absl::Status prepared = Prepare(charge); !prepared.ok()) return Fail(prepared);
  SubmitMore();
}

absl::Status Embeddings::Prepare(const TokenCharge& charge) {
  ENIGMA_RETURN_IF_ERROR(CheckEmbedRequest(request_));
  ENIGMA_ASSIGN_OR_RETURN(const ServedModel served, FindServed(plane_, request_.model()));
  // A full queue is told before anything is tokenised for it.
  ENIGMA_RETURN_IF_ERROR(CheckRoom(plane_, served.model->name, request_.priority()));
  ENIGMA_ASSIGN_OR_RETURN(const TokenizerPtr tokenizer, plane_.files.Tokenizer(*served.model));
  ENIGMA_ASSIGN_OR_RETURN(std::vector<enigma::v1::OpenSequence> inputs,
                          MakeEmbedSequences(request_, served, *tokenizer, [this] { return !end().has_value(); }));
  uint64_t all_tokens = 0;
  for (const enigma::v1::OpenSequence& input : inputs) all_tokens += static_cast<uint64_t>(input.prompt_size());
  ENIGMA_RETURN_IF_ERROR(charge.SetPrompt("input", all_tokens, 0));
  absl::MutexLock lock(&mutex_);
  model_ = served.model;
  inputs_ = std::move(inputs);
  reply_.set_model(model_->name);
  for (size_t i = 0; i < inputs_.size(); ++i) {
    waiting_.push_back(i);
    const auto tokens = static_cast<uint32_t>(inputs_[i].prompt_size());
    reply_.add_embeddings()->set_tokens(tokens);
    reply_.set_prompt_tokens(reply_.prompt_tokens() + tokens);
  }
  return absl::OkStatus();
}

void Embeddings::SubmitMore() {
  while (true) {
    size_t index = 0;
    enigma::v1::OpenSequence open;
    {
      absl::MutexLock lock(&mutex_);
      if (end_ || waiting_.empty() || tickets_.size() >= kAtATime) return;
      index = waiting_.front();
      waiting_.pop_front();
      tickets_[index] = 0;
      open = inputs_[index];
      tokens_ += static_cast<uint64_t>(open.prompt_size());
    }
    if (!SubmitOne(index, std::move(open))) return;
  }
}

bool Embeddings::SubmitOne(size_t index, enigma::v1::OpenSequence open) {
  const auto tokens = static_cast<uint64_t>(open.prompt_size());
  const absl::StatusOr<uint64_t> ticket = plane_.dispatcher.Submit(
      request_.model(), request_.priority(), std::move(open), std::make_shared<InputSink>(shared_from_this(), index));
  if (ticket.ok()) {
    bool unwanted = false;
    {
      absl::MutexLock lock(&mutex_);
      // It may have ended already, here and in the dispatcher.
      if (const auto found = tickets_.find(index); found != tickets_.end()) found->second = *ticket;
      unwanted = end_.has_value();
    }
    if (unwanted) plane_.dispatcher.Cancel(*ticket);
    return !unwanted;
  }
  {
    absl::MutexLock lock(&mutex_);
    tickets_.erase(index);
    tokens_ -= tokens;
    // The queue is full of others' requests: this one goes on when the next of its own has ended.
    if (absl::IsResourceExhausted(ticket.status()) && !tickets_.empty()) {
      waiting_.push_front(index);
      return false;
    }
  }
  if (absl::IsResourceExhausted(ticket.status())) {
    GenerationMetrics::RejectionsOf(plane_.metrics, request_.model()).Increment();
  }
  Fail(ticket.status());
  return false;
}

void Embeddings::Started(size_t index, const Replica& replica) {
  absl::MutexLock lock(&mutex_);
  // Before its result can come, so that who has that finds it counted.
  plane_.metrics.Counter(Metric::kPromptTokens, {{"model_name", model_->name}}).Increment(inputs_[index].prompt_size());
  AddOnce(contracts_, replica.contract);
  std::vector<std::string> nodes(reply_.nodes().begin(), reply_.nodes().end());
  for (const auto& stage : replica.stages) AddOnce(nodes, stage.node_id());
  reply_.mutable_nodes()->Assign(nodes.begin(), nodes.end());
}

void Embeddings::Arrived(size_t index, const enigma::v1::TokenEvent& event) {
  std::vector<float> values(event.embedding().begin(), event.embedding().end());
  if (request_.dimensions() > 0 && request_.dimensions() < values.size()) {
    values.resize(request_.dimensions());
    engine::ScaleToUnitLength(values);
  }
  absl::MutexLock lock(&mutex_);
  if (end_) return;
  reply_.mutable_embeddings(static_cast<int>(index))->mutable_values()->Assign(values.begin(), values.end());
}

void Embeddings::InputEnded(size_t index, const absl::Status& status) {
  if (!status.ok()) return Fail(status);
  bool all = false;
  bool came = false;
  {
    absl::MutexLock lock(&mutex_);
    if (end_) return;
    tickets_.erase(index);
    came = !reply_.embeddings(static_cast<int>(index)).values().empty();
    all = ++done_ == inputs_.size();
    const MetricLabels labels = {{"model_name", model_->name}};
    plane_.metrics.Counter(Metric::kRequestsFinished, {{"model_name", model_->name}, {"finished_reason", "stop"}})
        .Increment();
    plane_.metrics.Histogram(Metric::kRequestSeconds, labels)
        .Observe(absl::ToDoubleSeconds(plane_.clock.Monotonic() - arrived_));
    if (came && all) {
      reply_.set_contract(absl::StrJoin(contracts_, ","));
      end_ = absl::OkStatus();
    }
  }
  if (!came) {
    return Fail(absl::InternalError("a sequence ended without its embedding; is its worker of another version?"));
  }
  if (all) return ready_();
  SubmitMore();
}

void Embeddings::Fail(const absl::Status& why) {
  std::map<size_t, uint64_t> tickets;
  {
    absl::MutexLock lock(&mutex_);
    if (end_) return;
    end_ = why;
    tickets.swap(tickets_);
  }
  for (const auto& [index, ticket] : tickets) {
    if (ticket != 0) plane_.dispatcher.Cancel(ticket);
  }
  ready_();
}

std::optional<absl::Status> Embeddings::end() {
  absl::MutexLock lock(&mutex_);
  return end_;
}

enigma::v1::EmbedReply Embeddings::TakeReply() {
  absl::MutexLock lock(&mutex_);
  return std::move(reply_);
}

uint64_t Embeddings::tokens_used() {
  absl::MutexLock lock(&mutex_);
  return tokens_;
}

}  // namespace enigma::coordinator
