#include "coordinator/scheduling/replica_streams.h"

#include <utility>

#include <absl/strings/str_cat.h>
#include <absl/time/clock.h>
#include <grpcpp/support/client_callback.h>

#include "rpc/status_conversion.h"

namespace enigma::coordinator {
namespace {

// Schemas are compiled one after the other, each within a tenth of a second.
constexpr absl::Duration kPrepareTimeout = absl::Seconds(30);

}  // namespace

// Lives as long as the ReplicaStreams, which waits for OnDone.
class ReplicaStreams::SubmitStream final
    : public grpc::ClientBidiReactor<enigma::v1::SequenceCommand, enigma::v1::SubmitReply> {
 public:
  explicit SubmitStream(ReplicaStreams& owner) : owner_(owner) {
    owner_.first_->async()->Submit(&context_, this);
    enigma::v1::SequenceCommand attach;
    attach.set_attach(owner_.replica_);
    Send(std::move(attach));
    StartRead(&reply_);
    // Writes come from outside the reactor's callbacks until the stream ends.
    AddHold();
    StartCall();
  }

  void Send(enigma::v1::SequenceCommand command) {
    absl::MutexLock lock(&mutex_);
    if (ended_) return;
    commands_.push_back(std::move(command));
    if (!writing_) WriteNext();
  }

  void Cancel() { context_.TryCancel(); }

  void OnWriteDone(bool ok) override {
    absl::MutexLock lock(&mutex_);
    writing_ = false;
    commands_.pop_front();
    if (ok && !ended_ && !commands_.empty()) WriteNext();
  }

  void OnReadDone(bool ok) override {
    if (!ok) {
      {
        absl::MutexLock lock(&mutex_);
        ended_ = true;
      }
      RemoveHold();
      return;
    }
    if (reply_.attached()) {
      owner_.NoteAttached(true);
    } else {
      owner_.callbacks_.refused(reply_);
    }
    StartRead(&reply_);
  }

  void OnDone(const grpc::Status& status) override { owner_.StreamEnded(true, status); }

 private:
  void WriteNext() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    writing_ = true;
    StartWrite(&commands_.front());
  }

  ReplicaStreams& owner_;
  grpc::ClientContext context_;
  enigma::v1::SubmitReply reply_;
  absl::Mutex mutex_;
  std::deque<enigma::v1::SequenceCommand> commands_ ABSL_GUARDED_BY(mutex_);  // the first is being written
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;
};

class ReplicaStreams::TokenStream final : public grpc::ClientReadReactor<enigma::v1::TokenEvents> {
 public:
  explicit TokenStream(ReplicaStreams& owner) : owner_(owner) {
    request_.set_replica(owner_.replica_);
    owner_.last_->async()->Tokens(&context_, &request_, this);
    StartRead(&events_);
    StartCall();
  }

  void Cancel() { context_.TryCancel(); }

  void OnReadDone(bool ok) override {
    if (!ok) return;
    if (events_.attached()) owner_.NoteAttached(false);
    if (events_.events_size() > 0) owner_.callbacks_.tokens(events_);
    StartRead(&events_);
  }

  void OnDone(const grpc::Status& status) override { owner_.StreamEnded(false, status); }

 private:
  ReplicaStreams& owner_;
  grpc::ClientContext context_;
  enigma::v1::TokensRequest request_;
  enigma::v1::TokenEvents events_;
};

// One call of PrepareConstraint; lives until its answer.
struct ReplicaStreams::Preparation {
  grpc::ClientContext context;
  enigma::v1::PrepareConstraintRequest request;
  enigma::v1::PrepareConstraintReply reply;
};

ReplicaStreams::ReplicaStreams(uint64_t replica, const std::shared_ptr<grpc::Channel>& first,
                               const std::shared_ptr<grpc::Channel>& last, Callbacks callbacks)
    : replica_(replica),
      callbacks_(std::move(callbacks)),
      first_(enigma::v1::Worker::NewStub(first)),
      last_(enigma::v1::Worker::NewStub(last)) {}

ReplicaStreams::~ReplicaStreams() { Close(); }

absl::Status ReplicaStreams::Attach(absl::Duration timeout) {
  {
    absl::MutexLock lock(&mutex_);
    open_streams_ = 2;
  }
  // Made without the mutex, since their callbacks take it.
  auto submit = std::make_unique<SubmitStream>(*this);
  auto tokens = std::make_unique<TokenStream>(*this);

  absl::MutexLock lock(&mutex_);
  submit_ = std::move(submit);
  tokens_ = std::move(tokens);
  if (closing_) CancelStreams();
  const auto settled = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return (submit_attached_ && tokens_attached_) || open_streams_ < 2;
  };
  if (!mutex_.AwaitWithTimeout(absl::Condition(&settled), timeout)) {
    return absl::DeadlineExceededError(absl::StrCat(submit_attached_ ? "the last stage" : "the first stage",
                                                    " did not answer within ", absl::FormatDuration(timeout)));
  }
  if (open_streams_ < 2) return ended_;
  return absl::OkStatus();
}

void ReplicaStreams::Send(enigma::v1::SequenceCommand command) {
  if (submit_ != nullptr) submit_->Send(std::move(command));
}

void ReplicaStreams::PrepareConstraint(uint64_t sequence, std::string_view json_schema, Prepared done) {
  auto preparation = std::make_unique<Preparation>();
  Preparation* const call = preparation.get();
  call->request.set_replica(replica_);
  call->request.set_sequence(sequence);
  call->request.set_json_schema(std::string(json_schema));
  call->context.set_deadline(absl::ToChronoTime(absl::Now() + kPrepareTimeout));
  {
    absl::MutexLock lock(&mutex_);
    preparing_.insert(call);
    if (closing_) call->context.TryCancel();
  }
  last_->async()->PrepareConstraint(
      &call->context, &call->request, &call->reply,
      [this, preparation = std::shared_ptr<Preparation>(std::move(preparation)),
       done = std::move(done)](const grpc::Status& status) {
        done(FromGrpc(status));
        absl::MutexLock lock(&mutex_);  // the last thing done with this object, which Close may then let go
        preparing_.erase(preparation.get());
      });
}

void ReplicaStreams::NoteAttached(bool of_first_stage) {
  absl::MutexLock lock(&mutex_);
  (of_first_stage ? submit_attached_ : tokens_attached_) = true;
}

void ReplicaStreams::StreamEnded(bool of_first_stage, const grpc::Status& status) {
  const absl::Status why = status.ok() ? absl::UnavailableError("the worker closed the stream") : FromGrpc(status);
  bool tell = false;
  {
    absl::MutexLock lock(&mutex_);
    if (ended_.ok()) ended_ = why;
    // Before both are attached, Attach itself returns the error.
    tell = !closing_ && !told_broken_ && submit_attached_ && tokens_attached_;
    told_broken_ = told_broken_ || tell;
  }
  if (tell) callbacks_.broken(of_first_stage, why);
  absl::MutexLock lock(&mutex_);
  --open_streams_;
}

void ReplicaStreams::CancelStreams() {
  if (submit_ != nullptr) submit_->Cancel();
  if (tokens_ != nullptr) tokens_->Cancel();
  for (Preparation* const preparation : preparing_) preparation->context.TryCancel();
}

void ReplicaStreams::Close() {
  absl::MutexLock lock(&mutex_);
  closing_ = true;
  CancelStreams();
  const auto ended = [this]()
                         ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return open_streams_ == 0 && preparing_.empty(); };
  mutex_.Await(absl::Condition(&ended));
}

}  // namespace enigma::coordinator
