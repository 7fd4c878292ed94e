#include "coordinator/gateway/openai/choices.h"

#include <algorithm>
#include <utility>

namespace enigma::coordinator {
namespace {

constexpr size_t kPromptBytesMax = 32 << 20;

}  // namespace

Choices::~Choices() { CancelAll(); }

void Choices::CancelAll() {
  for (const std::shared_ptr<Generation>& generation : generations_) {
    if (generation != nullptr) generation->Cancel();
  }
  EndLease();
}

uint64_t Choices::TokensOf(size_t choice) const {
  const Generation::Used used = generations_[choice]->used();
  return used.answer_tokens + (repeats_prompt_[choice] ? 0 : used.prompt_tokens);
}

void Choices::EndLease() {
  uint64_t tokens = tokens_used_;
  for (size_t i = 0; i < generations_.size(); ++i) {
    if (generations_[i] != nullptr) tokens += TokensOf(i);
  }
  lease_.End(tokens);
}

void Choices::Start(const Generation::Options& options, enigma::v1::GenerateRequest request) {
  repeats_prompt_.push_back(request.choice() != 0);
  prompt_bytes_ += request.prompt().size();
  const bool too_much = prompt_bytes_ > kPromptBytesMax;
  if (too_much) request.clear_input();
  auto generation = Generation::Make(plane_, options, std::move(request), exchange_.Waker());
  generations_.push_back(generation);
  if (too_much) {
    generation->Fail(absl::OutOfRangeError(
        absl::StrCat("prompt: those of all choices together have more than ", kPromptBytesMax, " bytes")));
  }
}

void Choices::Begin() {
  begun_ = true;
  // Shared with tokenisation, which may outlast this.
  const auto admission = std::make_shared<RequestAdmission>(lease_.charge(), generations_.size());
  for (size_t i = 0; i < generations_.size(); ++i) {
    const bool repeats_prompt = repeats_prompt_[i];
    if (!executor_.TryRun([generation = generations_[i], admission, repeats_prompt] {
          generation->Begin(admission, repeats_prompt);
        })) {
      generations_[i]->Fail(absl::ResourceExhaustedError("too many requests wait for tokenisation; try again later"));
    }
  }
}

std::optional<Choices::Event> Choices::Poll() {
  for (size_t i = 0; i < generations_.size(); ++i) {
    const size_t at = (next_ + i) % generations_.size();
    if (generations_[at] == nullptr) continue;
    Event event;
    event.choice = at;
    absl::Status end;
    switch (generations_[at]->Take(event.chunk, end)) {
      case Generation::Taken::kNothing:
        continue;
      case Generation::Taken::kChunk:
        // The finish reason is the end that clients of a stream act on.
        if (!event.chunk.finish_reason().empty() && ended_ + 1 == generations_.size()) EndLease();
        break;
      case Generation::Taken::kEnd:
        event.end = end;
        tokens_used_ += TokensOf(at);
        generations_[at] = nullptr;
        ++ended_;
        if (!end.ok()) CancelAll();
        if (done()) EndLease();
        break;
    }
    next_ = at + 1;
    return event;
  }
  return std::nullopt;
}

boost::asio::awaitable<std::optional<Choices::Event>> Choices::Next(absl::Duration patience) {
  if (!begun_) Begin();
  const absl::Duration until = plane_.clock.Monotonic() + patience;
  while (!done()) {
    if (exchange_.gone()) {
      for (const auto& generation : generations_) {
        if (generation != nullptr) generation->Cancel();
      }
    }
    const absl::Duration now = plane_.clock.Monotonic();
    if (now >= deadline_ && !late_) {
      late_ = true;
      for (const auto& generation : generations_) {
        if (generation == nullptr) continue;
        // The error first: a cancelled generation keeps the reason it ended with.
        generation->Fail(
            absl::DeadlineExceededError("the deadline of the request passed before its answer was complete"));
        generation->Cancel();
      }
    }
    if (std::optional<Event> event = Poll()) co_return event;
    if (now >= until) co_return std::nullopt;
    co_await exchange_.Wait(std::min(until, late_ ? until : deadline_) - now);
  }
  co_return std::nullopt;
}

}  // namespace enigma::coordinator
