#include "coordinator/gateway/embed_call.h"

#include <utility>

#include "coordinator/gateway/retry_metadata.h"
#include "rpc/status_conversion.h"

namespace enigma::coordinator {

std::shared_ptr<EmbedCall> EmbedCall::Make(grpc::CallbackServerContext& context, ControlPlane& plane,
                                           enigma::v1::EmbedRequest request, enigma::v1::EmbedReply& reply) {
  std::shared_ptr<EmbedCall> call(new EmbedCall(context, reply));
  call->self_ = call;
  // Weak: the dispatcher may hold on to the embeddings a little longer than gRPC to the call.
  call->embeddings_ = Embeddings::Make(plane, std::move(request), [weak = std::weak_ptr<EmbedCall>(call)] {
    if (const std::shared_ptr<EmbedCall> alive = weak.lock()) alive->End();
  });
  return call;
}

void EmbedCall::Hold(Intake::Pass pass, KeyLease lease) {
  absl::MutexLock lock(&mutex_);
  pass_ = std::move(pass);
  lease_ = std::move(lease);
}

void EmbedCall::End() {
  const absl::Status end = embeddings_->end().value_or(absl::InternalError("not ended"));
  absl::MutexLock lock(&mutex_);
  if (finished_) return;
  finished_ = true;
  lease_.End(embeddings_->tokens_used());  // before the client hears the end and may ask again
  if (end.ok()) reply_ = embeddings_->TakeReply();
  AddRetryAfter(context_, end);
  Finish(ToGrpc(end));
}

void EmbedCall::OnDone() {
  {
    absl::MutexLock lock(&mutex_);
    pass_.Leave();
  }
  self_.reset();
}

}  // namespace enigma::coordinator
