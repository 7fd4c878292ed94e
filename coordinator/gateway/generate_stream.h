#pragma once

#include <memory>

#include <absl/base/thread_annotations.h>
#include <absl/synchronization/mutex.h>
#include <grpcpp/support/server_callback.h>

#include "coordinator/gateway/call_end.h"
#include "coordinator/gateway/generation.h"
#include "coordinator/scheduling/intake.h"
#include "coordinator/scheduling/key_limits.h"
#include "proto/inference.grpc.pb.h"

namespace enigma::coordinator {

// One call of enigma.v1.Inference.Generate: writes what its generation makes. Keeps itself until gRPC is done with it.
class GenerateStream final : public grpc::ServerWriteReactor<enigma::v1::GenerateChunk>,
                             public std::enable_shared_from_this<GenerateStream> {
 public:
  static std::shared_ptr<GenerateStream> Make(ControlPlane& plane, const Generation::Options& options,
                                              enigma::v1::GenerateRequest request,
                                              grpc::CallbackServerContext& context);

  Generation& generation() { return *generation_; }
  // What the caller's limits let in, and for how long at most; before Begin.
  void Hold(Intake::Pass pass, KeyLease lease, absl::Duration time_max);

  void Begin();  // Generation::Begin, as one request by itself

  // ServerWriteReactor.
  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;

 private:
  explicit GenerateStream(grpc::CallbackServerContext& context) : context_(context) {}
  void Pump();
  void EndLease() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void EndLate();

  grpc::CallbackServerContext& context_;  // there until OnDone
  std::shared_ptr<GenerateStream> self_;  // likewise
  std::shared_ptr<Generation> generation_;
  TimeLimit time_limit_;

  absl::Mutex mutex_;
  KeyLease lease_ ABSL_GUARDED_BY(mutex_);
  Intake::Pass pass_ ABSL_GUARDED_BY(mutex_);
  enigma::v1::GenerateChunk writing_ ABSL_GUARDED_BY(mutex_);
  bool is_writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;  // Finish was called
};

}  // namespace enigma::coordinator
