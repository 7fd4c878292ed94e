#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include <absl/base/thread_annotations.h>
#include <absl/container/flat_hash_set.h>
#include <absl/status/status.h>
#include <absl/synchronization/mutex.h>
#include <absl/time/time.h>
#include <grpcpp/channel.h>

#include "proto/worker.grpc.pb.h"

namespace enigma::coordinator {

// The two streams between the coordinator and a replica: sequences to its first stage, tokens from its last; and the
// calls to the last that go before a constrained sequence. Thread-safe. Callbacks come on gRPC threads, without a lock
// held, one at a time per stream, and never after Close has returned.
class ReplicaStreams {
 public:
  struct Callbacks {
    std::function<void(const enigma::v1::TokenEvents&)> tokens;
    std::function<void(const enigma::v1::SubmitReply&)> refused;  // a sequence cannot be run or continued
    // Once, when a stream breaks by itself: `of_first_stage` says which. Nothing more will come.
    std::function<void(bool of_first_stage, const absl::Status& why)> broken;
  };

  ReplicaStreams(uint64_t replica, const std::shared_ptr<grpc::Channel>& first,
                 const std::shared_ptr<grpc::Channel>& last, Callbacks callbacks);
  ~ReplicaStreams();  // closes

  // Opens both streams and waits until both workers have answered.
  absl::Status Attach(absl::Duration timeout);
  // Queued without blocking; lost when the stream is broken (which `broken` tells).
  void Send(enigma::v1::SequenceCommand command);
  using Prepared = std::function<void(const absl::Status&)>;
  // Asks the last stage to compile what the output of a sequence must look like (Worker.PrepareConstraint). `done` is
  // called once, on a gRPC thread, before Close returns.
  void PrepareConstraint(uint64_t sequence, std::string_view json_schema, Prepared done);
  // Cancels both streams and what is being prepared, and waits for their end. Not to be called from a callback.
  void Close();

 private:
  class SubmitStream;
  class TokenStream;
  struct Preparation;

  void StreamEnded(bool of_first_stage, const grpc::Status& status);
  void NoteAttached(bool of_first_stage);
  void CancelStreams() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const uint64_t replica_;
  const Callbacks callbacks_;
  const std::unique_ptr<enigma::v1::Worker::Stub> first_;
  const std::unique_ptr<enigma::v1::Worker::Stub> last_;

  absl::Mutex mutex_;
  // Set once, by Attach, under the mutex; read without it after Attach.
  std::unique_ptr<SubmitStream> submit_;
  std::unique_ptr<TokenStream> tokens_;
  bool submit_attached_ ABSL_GUARDED_BY(mutex_) = false;
  bool tokens_attached_ ABSL_GUARDED_BY(mutex_) = false;
  int open_streams_ ABSL_GUARDED_BY(mutex_) = 0;
  bool closing_ ABSL_GUARDED_BY(mutex_) = false;
  bool told_broken_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Status ended_ ABSL_GUARDED_BY(mutex_);  // why the first stream ended
  absl::flat_hash_set<Preparation*> preparing_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace enigma::coordinator
