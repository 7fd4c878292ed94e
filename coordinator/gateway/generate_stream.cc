#include "coordinator/gateway/generate_stream.h"

#include <utility>

namespace enigma::coordinator {

std::shared_ptr<GenerateStream> GenerateStream::Make(ControlPlane& plane, const Generation::Options& options,
                                                     enigma::v1::GenerateRequest request,
                                                     grpc::CallbackServerContext& context) {
  std::shared_ptr<GenerateStream> stream(new GenerateStream(context));
  stream->self_ = stream;
  // Weak: the dispatcher may hold on to the generation a little longer than gRPC to the stream.
  stream->generation_ =
      Generation::Make(plane, options, std::move(request), [weak = std::weak_ptr<GenerateStream>(stream)] {
        if (const std::shared_ptr<GenerateStream> alive = weak.lock()) alive->Pump();
      });
  return stream;
}

void GenerateStream::Hold(Intake::Pass pass, KeyLease lease, absl::Duration time_max) {
  {
    absl::MutexLock lock(&mutex_);
    pass_ = std::move(pass);
    lease_ = std::move(lease);
  }
  time_limit_.Start(context_, time_max, weak_from_this(), &GenerateStream::EndLate);
}

void GenerateStream::Begin() {
  TokenCharge charge;
  {
    absl::MutexLock lock(&mutex_);
    charge = lease_.charge();
  }
  generation_->Begin(std::make_shared<RequestAdmission>(std::move(charge), 1));
}

void GenerateStream::EndLease() {
  const Generation::Used used = generation_->used();
  lease_.End(used.prompt_tokens + used.answer_tokens);
}

void GenerateStream::Pump() {
  absl::MutexLock lock(&mutex_);
  if (is_writing_ || finished_) return;
  absl::Status end;
  switch (generation_->Take(writing_, end)) {
    case Generation::Taken::kNothing:
      return;
    case Generation::Taken::kChunk:
      is_writing_ = true;
      if (!writing_.finish_reason().empty()) EndLease();  // clients may act on it before they hear the status
      StartWrite(&writing_);
      return;
    case Generation::Taken::kEnd:
      finished_ = true;
      EndLease();  // before the client hears the end and may ask again
      Finish(EndOf(context_, end));
      return;
  }
}

void GenerateStream::OnWriteDone(bool ok) {
  {
    absl::MutexLock lock(&mutex_);
    is_writing_ = false;
  }
  if (!ok) generation_->Cancel();  // OnCancel comes, or has come
  Pump();
}

void GenerateStream::OnCancel() {
  if (DeadlinePassed(context_)) generation_->Fail(Late());
  generation_->Cancel();
}

void GenerateStream::EndLate() {
  generation_->Fail(Late());
  generation_->Cancel();
  absl::MutexLock lock(&mutex_);
  // A write waits for as long as the client does not read, and Finish with it. Until it is done OnDone cannot come, and
  // the context is there.
  if (is_writing_) context_.TryCancel();
}

void GenerateStream::OnDone() {
  {
    absl::MutexLock lock(&mutex_);
    pass_.Leave();
  }
  self_.reset();
}

}  // namespace enigma::coordinator
