#include "coordinator/gateway/classify_text.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

#include <absl/base/thread_annotations.h>
#include <absl/strings/str_cat.h>
#include <absl/synchronization/mutex.h>

#include "base/status_macros.h"
#include "base/text.h"
#include "coordinator/gateway/prompt.h"
#include "coordinator/operations/router_of.h"
#include "engine/text/router_prompt.h"

namespace enigma::coordinator {
namespace {

// Hears of one question. Shared with the dispatcher, which may hold on to it longer than who waits.
class LabelSink final : public TokenSink {
 public:
  void OnStart(const Replica& replica) override {
    absl::MutexLock lock(&mutex_);
    nodes_.clear();
    for (const auto& stage : replica.stages) nodes_.push_back(stage.node_id());
  }
  void OnTokens(std::span<const enigma::v1::TokenEvent* const> events) override {
    absl::MutexLock lock(&mutex_);
    for (const enigma::v1::TokenEvent* event : events) {
      probabilities_.assign(event->label_probabilities().begin(), event->label_probabilities().end());
    }
  }
  void OnEnd(const absl::Status& status) override {
    absl::MutexLock lock(&mutex_);
    if (!end_) end_ = status;
  }

  // False when it has not ended by then.
  bool Await(absl::Duration patience) {
    absl::MutexLock lock(&mutex_);
    const auto ended = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return end_.has_value(); };
    return mutex_.AwaitWithTimeout(absl::Condition(&ended), patience);
  }
  absl::Status TakeInto(LabelReading& reading) {
    absl::MutexLock lock(&mutex_);
    if (!end_->ok()) return *end_;
    if (probabilities_.size() != reading.labels.size()) {
      return absl::InternalError("a question of labels ended without an answer; is its worker of another version?");
    }
    reading.probabilities = std::move(probabilities_);
    reading.nodes = std::move(nodes_);
    return absl::OkStatus();
  }

 private:
  absl::Mutex mutex_;
  std::vector<double> probabilities_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::string> nodes_ ABSL_GUARDED_BY(mutex_);
  std::optional<absl::Status> end_ ABSL_GUARDED_BY(mutex_);
};

enigma::v1::OpenSequence QuestionOf(const engine::RouterSpec& router, const std::vector<engine::TokenId>& prompt) {
  enigma::v1::OpenSequence open;
  open.mutable_prompt()->Assign(prompt.begin(), prompt.end());
  open.mutable_labels()->mutable_tokens()->Assign(router.label_tokens.begin(), router.label_tokens.end());
  open.mutable_labels()->set_temperature(router.temperature);
  return open;
}

}  // namespace

absl::StatusOr<LabelReading> ClassifyText(ControlPlane& plane, std::string_view model, std::string_view text,
                                          absl::Duration patience) {
  ENIGMA_ASSIGN_OR_RETURN(const ServedModel served, FindServed(plane, model));
  ENIGMA_ASSIGN_OR_RETURN(engine::RouterSpec router, RouterOf(plane, *served.model));
  ENIGMA_ASSIGN_OR_RETURN(const TokenizerPtr tokenizer, plane.files.Tokenizer(*served.model));
  const auto sink = std::make_shared<LabelSink>();
  ENIGMA_ASSIGN_OR_RETURN(
      const uint64_t ticket,
      plane.dispatcher.Submit(
          model, enigma::v1::PRIORITY_NORMAL,
          QuestionOf(router, engine::RouterPrompt(router, *tokenizer, text, router.PromptTokensMax(served.context))),
          sink));
  if (!sink->Await(patience)) {
    plane.dispatcher.Cancel(ticket);
    return absl::DeadlineExceededError(
        absl::StrCat("the router '", ToAbsl(model), "' did not answer within ", absl::FormatDuration(patience)));
  }
  LabelReading reading;
  reading.labels = std::move(router.labels);
  reading.threshold = router.threshold;
  reading.model = std::string(model);
  ENIGMA_RETURN_IF_ERROR(sink->TakeInto(reading));
  const auto likeliest = std::max_element(reading.probabilities.begin(), reading.probabilities.end());
  reading.best = static_cast<size_t>(likeliest - reading.probabilities.begin());
  return reading;
}

}  // namespace enigma::coordinator
