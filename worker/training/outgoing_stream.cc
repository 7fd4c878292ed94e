#include "worker/training/outgoing_stream.h"

#include <deque>
#include <string>
#include <utility>

#include <absl/base/thread_annotations.h>
#include <absl/strings/str_cat.h>
#include <absl/synchronization/mutex.h>
#include <grpcpp/generic/generic_stub.h>

#include "rpc/status_conversion.h"
#include "worker/training/link_frame.h"
#include "worker/training/stream_links_service.h"

namespace enigma::worker {
namespace {

// Keeps itself alive from its start to OnDone. A read is always pending: it brings the peer's pulses, and notices a
// broken connection at once.
class ClientStream final : public OutgoingStream, public grpc::ClientBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer> {
 public:
  ClientStream(const std::shared_ptr<grpc::Channel>& channel, Options options, std::shared_ptr<RankMesh> mesh)
      : options_(std::move(options)), stub_(channel), mesh_(std::move(mesh)) {}

  void Begin(std::shared_ptr<ClientStream> self) {
    self_ = std::move(self);
    context_.AddMetadata(kJobMetadata, std::to_string(options_.job));
    context_.AddMetadata(kEpochMetadata, std::to_string(options_.epoch));
    context_.AddMetadata(kRankNodeMetadata, options_.node);
    stub_.PrepareBidiStreamingCall(&context_, kRankLinkMethod, grpc::StubOptions(), this);
    AddHold();  // writes start outside of gRPC's own calls
    StartRead(&incoming_);
    StartCall();
  }

  absl::StatusOr<bool> AwaitAccepted(absl::Duration timeout) override {
    absl::MutexLock lock(&mutex_);
    const auto settled = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return accepted_ || done_; };
    mutex_.AwaitWithTimeout(absl::Condition(&settled), timeout);
    if (accepted_ || !done_) return accepted_;
    return status_.ok() ? absl::UnavailableError("the stream ended at once") : status_;
  }

  void Send(std::vector<uint8_t> message) override { Queue(MessageFrame(std::move(message))); }

  void Pulse(uint64_t taken) override {
    grpc::ByteBuffer frame = PulseFrame(taken);
    absl::MutexLock lock(&mutex_);
    if (writing_ || !waiting_.empty()) return;  // what is on its way says as much
    QueueLocked(std::move(frame));
  }

  void Abort(const absl::Status& reason) override {
    grpc::ByteBuffer frame = AbortFrame(reason);
    absl::MutexLock lock(&mutex_);
    if (closing_) return;
    waiting_.clear();
    QueueLocked(std::move(frame));
    closing_ = true;
  }

  void Close() override {
    absl::MutexLock lock(&mutex_);
    QueueLocked(ByeFrame());
    closing_ = true;
  }

  void AwaitDone(absl::Time deadline) override {
    absl::MutexLock lock(&mutex_);
    if (!mutex_.AwaitWithDeadline(absl::Condition(&done_), deadline)) context_.TryCancel();
  }

  void OnReadInitialMetadataDone(bool ok) override {
    absl::MutexLock lock(&mutex_);
    accepted_ = ok && context_.GetServerInitialMetadata().count(kJobMetadata) > 0;
  }

  void OnReadDone(bool ok) override {
    if (!ok) {
      absl::MutexLock lock(&mutex_);
      lost_ = true;
      RemoveHold();  // no write starts from now on
      return;
    }
    const absl::StatusOr<LinkFrame> frame = ParseLinkFrame(incoming_);
    if (frame.ok() && frame->kind == LinkFrameKind::kPulse) {
      mesh_->OnTaken(options_.peer, frame->taken);
    } else {  // a receiver that says anything else is none
      mesh_->Fail(absl::DataLossError(absl::StrCat(mesh_->NameOf(options_.peer), " answers with ",
                                                   frame.ok() ? "what is no pulse" : frame.status().message())));
    }
    incoming_.Clear();
    StartRead(&incoming_);
  }

  void OnWriteDone(bool ok) override {
    absl::MutexLock lock(&mutex_);
    writing_ = false;
    if (ok) WriteNext();
  }

  void OnDone(const grpc::Status& status) override {
    const std::shared_ptr<ClientStream> self = std::move(self_);
    bool accepted = false;
    {
      absl::MutexLock lock(&mutex_);
      accepted = accepted_;
      waiting_.clear();
      status_ = status.ok() ? absl::OkStatus() : FromGrpc(status);
      done_ = true;
    }
    if (!accepted) return;
    if (status.ok()) {
      mesh_->OnLeft(options_.peer, RankMesh::Way::kOut);
    } else if (!status.error_details().empty()) {
      mesh_->Fail(DecodeReason(status.error_details()));
    } else {
      mesh_->OnLost(options_.peer, RankMesh::Way::kOut, FromGrpc(status));
    }
    mesh_->Detach(options_.peer, RankMesh::Way::kOut);
  }

 private:
  void Queue(grpc::ByteBuffer frame) {
    absl::MutexLock lock(&mutex_);
    QueueLocked(std::move(frame));
  }
  void QueueLocked(grpc::ByteBuffer frame) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (closing_ || lost_) return;
    waiting_.push_back(std::move(frame));
    WriteNext();
  }
  void WriteNext() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (writing_ || lost_) return;
    if (waiting_.empty()) {
      if (closing_ && !writes_done_) {
        writes_done_ = true;
        StartWritesDone();
      }
      return;
    }
    writing_ = true;
    current_.Swap(&waiting_.front());
    waiting_.pop_front();
    StartWrite(&current_);
  }

  const Options options_;
  grpc::GenericStub stub_;
  grpc::ClientContext context_;
  grpc::ByteBuffer incoming_;
  const std::shared_ptr<RankMesh> mesh_;
  std::shared_ptr<ClientStream> self_;

  absl::Mutex mutex_;
  std::deque<grpc::ByteBuffer> waiting_ ABSL_GUARDED_BY(mutex_);
  grpc::ByteBuffer current_ ABSL_GUARDED_BY(mutex_);
  bool accepted_ ABSL_GUARDED_BY(mutex_) = false;
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool writes_done_ ABSL_GUARDED_BY(mutex_) = false;
  bool closing_ ABSL_GUARDED_BY(mutex_) = false;
  bool lost_ ABSL_GUARDED_BY(mutex_) = false;
  bool done_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Status status_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace

std::shared_ptr<OutgoingStream> OutgoingStream::Start(const std::shared_ptr<grpc::Channel>& channel, Options options,
                                                      std::shared_ptr<RankMesh> mesh) {
  auto stream = std::make_shared<ClientStream>(channel, std::move(options), std::move(mesh));
  stream->Begin(stream);
  return stream;
}

}  // namespace enigma::worker
