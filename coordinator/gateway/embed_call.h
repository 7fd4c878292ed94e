#pragma once

#include <memory>
#include <string>
#include <utility>

#include <absl/base/thread_annotations.h>
#include <absl/synchronization/mutex.h>
#include <grpcpp/support/server_callback.h>

#include "coordinator/background/specialist_keeper.h"
#include "coordinator/gateway/call_end.h"
#include "coordinator/gateway/embeddings.h"
#include "coordinator/scheduling/intake.h"
#include "coordinator/scheduling/key_limits.h"
#include "proto/inference.grpc.pb.h"

namespace enigma::coordinator {

// One call of enigma.v1.Inference.Embed: replies with what its embeddings give. Keeps itself until gRPC is done with
// it.
class EmbedCall final : public grpc::ServerUnaryReactor, public std::enable_shared_from_this<EmbedCall> {
 public:
  static std::shared_ptr<EmbedCall> Make(ControlPlane& plane, enigma::v1::EmbedRequest request,
                                         enigma::v1::EmbedReply& reply, grpc::CallbackServerContext& context);

  Embeddings& embeddings() { return *embeddings_; }
  // What the caller's limits let in, and for how long at most; before Begin.
  void Hold(Intake::Pass pass, KeyLease lease, absl::Duration time_max);

  const std::string& model() const { return model_; }
  void Begin(SpecialistKeeper::Hold hold);  // Embeddings::Begin; `hold`: of the model

  // ServerUnaryReactor.
  void OnCancel() override;
  void OnDone() override;

 private:
  EmbedCall(std::string model, enigma::v1::EmbedReply& reply, grpc::CallbackServerContext& context)
      : model_(std::move(model)), reply_(reply), context_(context) {}
  void End();
  void EndLate();

  const std::string model_;
  enigma::v1::EmbedReply& reply_;
  grpc::CallbackServerContext& context_;  // there until OnDone, as the reply is
  std::shared_ptr<EmbedCall> self_;       // until OnDone
  std::shared_ptr<Embeddings> embeddings_;
  TimeLimit time_limit_;

  absl::Mutex mutex_;
  Intake::Pass pass_ ABSL_GUARDED_BY(mutex_);
  KeyLease lease_ ABSL_GUARDED_BY(mutex_);
  SpecialistKeeper::Hold hold_ ABSL_GUARDED_BY(mutex_);
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;  // Finish was called
  bool done_ ABSL_GUARDED_BY(mutex_) = false;      // OnDone: the context goes
};

}  // namespace enigma::coordinator
