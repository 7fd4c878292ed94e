#include "coordinator/gateway/embed_call.h"

#include <utility>

namespace enigma::coordinator {

std::shared_ptr<EmbedCall> EmbedCall::Make(ControlPlane& plane, enigma::v1::EmbedRequest request,
                                           enigma::v1::EmbedReply& reply, grpc::CallbackServerContext& context) {
  std::shared_ptr<EmbedCall> call(new EmbedCall(request.model(), reply, context));
  call->self_ = call;
  // Weak: the dispatcher may hold on to the embeddings a little longer than gRPC to the call.
  call->embeddings_ = Embeddings::Make(plane, std::move(request), [weak = std::weak_ptr<EmbedCall>(call)] {
    if (const std::shared_ptr<EmbedCall> alive = weak.lock()) alive->End();
  });
  return call;
}

void EmbedCall::Hold(Intake::Pass pass, KeyLease lease, absl::Duration time_max) {
  {
    absl::MutexLock lock(&mutex_);
    pass_ = std::move(pass);
    lease_ = std::move(lease);
  }
  time_limit_.Start(context_, time_max, weak_from_this(), &EmbedCall::EndLate);
}

void EmbedCall::Begin(SpecialistKeeper::Hold hold) {
  TokenCharge charge;
  {
    absl::MutexLock lock(&mutex_);
    if (!done_) hold_ = std::move(hold);
    charge = lease_.charge();
  }
  embeddings_->Begin(charge);
}

void EmbedCall::OnCancel() { DeadlinePassed(context_) ? embeddings_->Fail(Late()) : embeddings_->Cancel(); }

void EmbedCall::End() {
  const absl::Status end = embeddings_->end().value_or(absl::InternalError("not ended"));
  absl::MutexLock lock(&mutex_);
  if (finished_) return;
  finished_ = true;
  lease_.End(embeddings_->tokens_used());  // before the client hears the end and may ask again
  if (end.ok()) reply_ = embeddings_->TakeReply();
  Finish(EndOf(context_, end));
}

void EmbedCall::EndLate() {
  {
    absl::MutexLock lock(&mutex_);
    // A long reply waits for as long as the client does not read.
    if (finished_ && !done_) context_.TryCancel();
    if (finished_) return;
  }
  embeddings_->Fail(Late());
}

void EmbedCall::OnDone() {
  {
    absl::MutexLock lock(&mutex_);
    done_ = true;
    pass_.Leave();
    hold_.reset();
  }
  self_.reset();
}

}  // namespace enigma::coordinator
