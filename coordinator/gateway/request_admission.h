#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include <absl/base/thread_annotations.h>
#include <absl/status/status.h>
#include <absl/synchronization/mutex.h>

#include "coordinator/scheduling/key_limits.h"

namespace enigma::coordinator {

// What the choices of one request have in common on their way to the dispatcher: the tokens of the caller's key, which
// are charged once the prompts of all are tokenised, so that the request is taken or refused as a whole before any part
// of it runs, and what a full queue refuses, which is one request. Thread-safe.
class RequestAdmission {
 public:
  using Go = std::function<void(const absl::Status& admitted)>;

  // `choices`: how many will arrive, at most; at least one.
  RequestAdmission(TokenCharge charge, size_t choices) : charge_(std::move(charge)), choices_(choices) {}

  // The prompt of one choice is tokenised; one that shares its prompt with an earlier choice brings none. Calls `go`
  // with OK or with the refusal of the key (TokenCharge::SetPrompt): at once where its tokens are not limited, else
  // when the last choice has arrived, on that one's thread. Never, where another choice has ended before it arrived.
  void Arrive(uint64_t prompt_tokens, uint64_t answer_tokens_estimated, Go go);

  // The queue is full for a choice: true for the first that says so.
  bool IsFirstRefused() { return !refused_.exchange(true); }

 private:
  const TokenCharge charge_;
  const size_t choices_;
  std::atomic<bool> refused_ = false;

  absl::Mutex mutex_;
  uint64_t prompt_tokens_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t answer_tokens_ ABSL_GUARDED_BY(mutex_) = 0;
  std::vector<Go> arrived_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace enigma::coordinator
