#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include <absl/base/thread_annotations.h>
#include <absl/status/status.h>
#include <absl/synchronization/mutex.h>
#include <absl/time/time.h>
#include <grpcpp/support/server_callback.h>

#include "coordinator/gateway/token_text.h"
#include "coordinator/operations/control_plane.h"
#include "proto/inference.grpc.pb.h"

namespace enigma::coordinator {

// One call of Generate: a request between its client and the dispatcher. Tokens that come while a chunk is being sent
// wait in the next one; a client that lets too many wait is told so and its sequence is cancelled. Owned by itself
// while gRPC uses it and shared with the dispatcher.
class GenerateStream final : public grpc::ServerWriteReactor<enigma::v1::GenerateChunk>,
                             public TokenSink,
                             public std::enable_shared_from_this<GenerateStream> {
 public:
  struct Options {
    int pending_tokens_max = 4096;  // that wait for a slow client
  };

  static std::shared_ptr<GenerateStream> Make(ControlPlane& plane, const Options& options,
                                              enigma::v1::GenerateRequest request);

  // Tokenises, checks and submits; may take milliseconds, so not for gRPC's threads.
  void Begin();
  void Fail(const absl::Status& why);

  // TokenSink.
  void OnStart(const Replica& replica) override;
  void OnTokens(std::span<const enigma::v1::TokenEvent* const> events) override;
  void OnEnd(const absl::Status& status) override;

  // ServerWriteReactor.
  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;

 private:
  GenerateStream(ControlPlane& plane, const Options& options, enigma::v1::GenerateRequest request);

  absl::Status Submit();
  absl::StatusOr<enigma::v1::OpenSequence> Prepare();
  void Conclude(std::string_view finish_reason) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void FlushLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void EndLocked(const absl::Status& status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void CancelSequence();
  double SecondsSinceArrival() const { return absl::ToDoubleSeconds(plane_.clock.Monotonic() - arrived_); }

  ControlPlane& plane_;
  const Options options_;
  const enigma::v1::GenerateRequest request_;
  const absl::Duration arrived_;
  std::shared_ptr<GenerateStream> self_;  // until OnDone

  absl::Mutex mutex_;
  ModelPtr model_ ABSL_GUARDED_BY(mutex_);
  std::optional<TokenText> text_ ABSL_GUARDED_BY(mutex_);
  uint64_t ticket_ ABSL_GUARDED_BY(mutex_) = 0;
  enigma::v1::GenerateChunk pending_ ABSL_GUARDED_BY(mutex_);
  bool has_pending_ ABSL_GUARDED_BY(mutex_) = false;
  enigma::v1::GenerateChunk writing_ ABSL_GUARDED_BY(mutex_);
  bool is_writing_ ABSL_GUARDED_BY(mutex_) = false;
  std::optional<absl::Status> end_ ABSL_GUARDED_BY(mutex_);  // set once nothing more will be produced
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;            // Finish was called
  bool cancelled_ ABSL_GUARDED_BY(mutex_) = false;           // the client went away
  bool unwanted_ ABSL_GUARDED_BY(mutex_) = false;            // the sequence is to be cancelled once its ticket is known
  std::string contract_ ABSL_GUARDED_BY(mutex_);
  double queue_seconds_ ABSL_GUARDED_BY(mutex_) = 0;
  double first_token_seconds_ ABSL_GUARDED_BY(mutex_) = -1;  // -1: none yet
  double last_token_seconds_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t tokens_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace enigma::coordinator
