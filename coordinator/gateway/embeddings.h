#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include <absl/base/thread_annotations.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/synchronization/mutex.h>
#include <absl/time/time.h>

#include "coordinator/operations/control_plane.h"
#include "coordinator/scheduling/key_limits.h"
#include "proto/inference.pb.h"

namespace enigma::coordinator {

// One request for embeddings between whoever asked (a gRPC call, an HTTP connection: its front) and the dispatcher.
// Each input is a sequence of its own, batched with everybody's; only so many are in the dispatcher at a time that a
// long list does not fill the queue. Thread-safe.
class Embeddings final : public std::enable_shared_from_this<Embeddings> {
 public:
  // Tells the front that it has ended. Called on any thread, without a lock; must not block. May come more than once.
  using Ready = std::function<void()>;

  static std::shared_ptr<Embeddings> Make(ControlPlane& plane, enigma::v1::EmbedRequest request, Ready ready);

  // Tokenises, checks, charges the inputs' tokens and submits; may take a while, so not for threads that serve sockets.
  void Begin(const TokenCharge& charge);
  // Ends it with an error, unless it has ended; what runs of it is freed within one step.
  void Fail(const absl::Status& why);
  // The front is gone.
  void Cancel() { Fail(absl::CancelledError("the client went away")); }

  // The end, once it is there.
  std::optional<absl::Status> end();
  // The reply, after an end that is OK; once.
  enigma::v1::EmbedReply TakeReply();
  // Prompt tokens of what was handed to replicas so far.
  uint64_t tokens_used();

 private:
  class InputSink;

  Embeddings(ControlPlane& plane, enigma::v1::EmbedRequest request, Ready ready);

  absl::Status Prepare(const TokenCharge& charge);
  // Submits what waits, as far as there may be more at a time.
  void SubmitMore();
  // False when the input had to go back, or everything has ended.
  bool SubmitOne(size_t index, enigma::v1::OpenSequence open);
  void Started(size_t index, const Replica& replica);
  void Arrived(size_t index, const enigma::v1::TokenEvent& event);
  void InputEnded(size_t index, const absl::Status& status);

  ControlPlane& plane_;
  const enigma::v1::EmbedRequest request_;
  const Ready ready_;
  const absl::Duration arrived_;

  absl::Mutex mutex_;
  ModelPtr model_ ABSL_GUARDED_BY(mutex_);
  std::vector<enigma::v1::OpenSequence> inputs_ ABSL_GUARDED_BY(mutex_);
  std::deque<size_t> waiting_ ABSL_GUARDED_BY(mutex_);          // inputs that were not submitted yet
  std::map<size_t, uint64_t> tickets_ ABSL_GUARDED_BY(mutex_);  // of inputs in the dispatcher; 0: not known yet
  size_t done_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t tokens_ ABSL_GUARDED_BY(mutex_) = 0;
  enigma::v1::EmbedReply reply_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::string> contracts_ ABSL_GUARDED_BY(mutex_);
  std::optional<absl::Status> end_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace enigma::coordinator
