#pragma once

#include <memory>
#include <optional>
#include <utility>  // for Boost 1.74, which forgets it
#include <vector>

#include <absl/status/status.h>
#include <boost/asio/awaitable.hpp>

#include "coordinator/gateway/executor.h"
#include "coordinator/gateway/generation.h"
#include "coordinator/gateway/http/exchange.h"
#include "coordinator/scheduling/key_limits.h"

namespace enigma::coordinator {

// The generations behind one HTTP request: n choices for each of its prompts. Lives on the connection's strand; when it
// goes, or the client does, what still runs is cancelled.
class Choices {
 public:
  struct Event {
    size_t choice = 0;
    enigma::v1::GenerateChunk chunk;
    std::optional<absl::Status> end;  // set: no chunk, and nothing more of this choice
  };

  // `deadline`: on the plane's monotonic clock; then every choice ends with DEADLINE_EXCEEDED. `lease`: what the
  // caller's limits let in (AdmitRequest), for all choices together. Borrows the rest.
  Choices(ControlPlane& plane, Executor& executor, HttpExchange& exchange, absl::Duration deadline, KeyLease lease)
      : plane_(plane), executor_(executor), exchange_(exchange), deadline_(deadline), lease_(std::move(lease)) {}
  ~Choices();
  Choices(const Choices&) = delete;
  Choices& operator=(const Choices&) = delete;

  // One more choice; all before the first Next, which begins them together.
  void Start(const Generation::Options& options, enigma::v1::GenerateRequest request);
  size_t size() const { return generations_.size(); }

  // The next event of any choice; nothing when `patience` is over, or when all have ended (then done()). The lease ends
  // before the last event is given out, or the first that is an error, after which the rest is cancelled: the client
  // that hears of it may ask again at once.
  boost::asio::awaitable<std::optional<Event>> Next(absl::Duration patience);
  bool done() const { return ended_ == generations_.size(); }

 private:
  void Begin();
  std::optional<Event> Poll();
  void CancelAll();
  uint64_t TokensOf(size_t choice) const;  // so far; of one that has not ended
  void EndLease();

  ControlPlane& plane_;
  Executor& executor_;
  HttpExchange& exchange_;
  const absl::Duration deadline_;
  KeyLease lease_;
  std::vector<std::shared_ptr<Generation>> generations_;  // null once ended
  std::vector<bool> repeats_prompt_;  // of each choice: it has the prompt of an earlier one, which counts once
  uint64_t tokens_used_ = 0;          // of choices that have ended
  size_t prompt_bytes_ = 0;           // of all together: each choice has a copy of its own
  size_t ended_ = 0;
  size_t next_ = 0;  // to be looked at first, so that no choice starves another
  bool begun_ = false;
  bool late_ = false;
};

}  // namespace enigma::coordinator
