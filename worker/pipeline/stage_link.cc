#include "worker/pipeline/stage_link.h"

#include <atomic>
#include <deque>
#include <utility>

#include <absl/base/thread_annotations.h>
#include <absl/strings/str_cat.h>
#include <absl/synchronization/mutex.h>
#include <grpcpp/generic/generic_stub.h>

#include "base/clock.h"
#include "base/status_macros.h"
#include "rpc/status_conversion.h"
#include "worker/pipeline/frame_buffer.h"

namespace enigma::worker {
namespace {

constexpr absl::Duration kCloseTimeout = absl::Seconds(1);

}  // namespace

// Keeps itself alive from Start to OnDone. A read is always pending: it is what notices a broken connection at once.
class StageLink::Stream : public grpc::ClientBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer> {
 public:
  Stream(const std::shared_ptr<grpc::Channel>& channel, Options options)
      : options_(std::move(options)), stub_(channel) {}

  void Start(std::shared_ptr<Stream> self) {
    self_ = std::move(self);
    context_.AddMetadata(kReplicaMetadata, std::to_string(options_.replica));
    context_.AddMetadata(kStageMetadata, std::to_string(options_.from_stage));
    context_.AddMetadata(kNodeMetadata, options_.from_node);
    stub_.PrepareBidiStreamingCall(&context_, kStageLinkMethod, grpc::StubOptions(), this);
    AddHold();  // writes start outside of gRPC's own calls
    StartRead(&ignored_);
    StartCall();
  }

  absl::Status AwaitAccepted() {
    absl::MutexLock lock(&mutex_);
    const auto settled = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return accepted_ || done_; };
    if (!mutex_.AwaitWithTimeout(absl::Condition(&settled), options_.accept_timeout)) {
      closing_ = true;
      context_.TryCancel();
      return absl::DeadlineExceededError(
          absl::StrCat("no answer within ", absl::FormatDuration(options_.accept_timeout)));
    }
    if (accepted_ && !lost_) return absl::OkStatus();
    return status_.ok() ? absl::UnavailableError("the stream ended at once") : status_;
  }

  absl::Status Send(grpc::ByteBuffer frame) {
    absl::MutexLock lock(&mutex_);
    if (lost_ || closing_) return status_.ok() ? absl::UnavailableError("the link is closed") : status_;
    if (waiting_.size() >= options_.frames_waiting_max) {
      return absl::ResourceExhaustedError(absl::StrCat(waiting_.size(), " frames wait for the network"));
    }
    waiting_.push_back({std::move(frame), Clock::System().Monotonic()});
    WriteNext();
    return absl::OkStatus();
  }

  absl::Duration waited() const { return absl::Nanoseconds(waited_ns_.load(std::memory_order_relaxed)); }

  void Close() {
    absl::MutexLock lock(&mutex_);
    if (lost_ || closing_) return;
    waiting_.push_back({MakeBuffer(EncodeByeFrame(options_.replica)), Clock::System().Monotonic()});
    closing_ = true;
    WriteNext();
  }

  void Abort() {
    absl::MutexLock lock(&mutex_);
    closing_ = true;
    if (!done_) context_.TryCancel();
  }

  bool AwaitDone(absl::Duration timeout) {
    absl::MutexLock lock(&mutex_);
    return mutex_.AwaitWithTimeout(absl::Condition(&done_), timeout);
  }

  void OnReadInitialMetadataDone(bool ok) override {
    absl::MutexLock lock(&mutex_);
    accepted_ = ok && context_.GetServerInitialMetadata().count(kReplicaMetadata) > 0;
  }

  void OnReadDone(bool ok) override {
    absl::MutexLock lock(&mutex_);
    if (ok) {  // receivers say nothing; what they say is dropped
      ignored_.Clear();
      StartRead(&ignored_);
      return;
    }
    lost_ = true;
    RemoveHold();  // no write starts from now on
  }

  void OnWriteDone(bool ok) override {
    absl::MutexLock lock(&mutex_);
    writing_ = false;
    waited_ns_.fetch_add(absl::ToInt64Nanoseconds(Clock::System().Monotonic() - current_since_),
                         std::memory_order_relaxed);
    if (ok) WriteNext();
  }

  void OnDone(const grpc::Status& status) override {
    std::shared_ptr<Stream> self;
    bool tell = false;
    {
      absl::MutexLock lock(&mutex_);
      self = std::move(self_);
      status_ = status.ok() ? absl::UnavailableError("the receiver ended the stream") : FromGrpc(status);
      tell = !closing_ && accepted_;
      done_ = true;
    }
    if (tell && options_.on_lost) options_.on_lost(status_);
  }

 private:
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
    current_.Swap(&waiting_.front().frame);
    current_since_ = waiting_.front().since;
    waiting_.pop_front();
    StartWrite(&current_);
  }

  const Options options_;
  grpc::GenericStub stub_;
  grpc::ClientContext context_;
  grpc::ByteBuffer ignored_;
  std::shared_ptr<Stream> self_;

  struct Waiting {
    grpc::ByteBuffer frame;
    absl::Duration since;
  };
  std::atomic<int64_t> waited_ns_{0};
  absl::Mutex mutex_;
  std::deque<Waiting> waiting_ ABSL_GUARDED_BY(mutex_);
  grpc::ByteBuffer current_ ABSL_GUARDED_BY(mutex_);
  absl::Duration current_since_ ABSL_GUARDED_BY(mutex_);
  bool accepted_ ABSL_GUARDED_BY(mutex_) = false;
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool writes_done_ ABSL_GUARDED_BY(mutex_) = false;
  bool closing_ ABSL_GUARDED_BY(mutex_) = false;
  bool lost_ ABSL_GUARDED_BY(mutex_) = false;
  bool done_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Status status_ ABSL_GUARDED_BY(mutex_);
};

absl::StatusOr<std::unique_ptr<StageLink>> StageLink::Open(const std::shared_ptr<grpc::Channel>& channel,
                                                           Options options) {
  auto stream = std::make_shared<Stream>(channel, std::move(options));
  stream->Start(stream);
  std::unique_ptr<StageLink> link(new StageLink(stream));
  ENIGMA_RETURN_IF_ERROR(stream->AwaitAccepted());
  return link;
}

StageLink::StageLink(std::shared_ptr<Stream> stream) : stream_(std::move(stream)) {}

StageLink::~StageLink() {
  stream_->Close();
  if (!stream_->AwaitDone(kCloseTimeout)) stream_->Abort();
}

absl::Status StageLink::Send(grpc::ByteBuffer frame) { return stream_->Send(std::move(frame)); }

absl::Duration StageLink::waited() const { return stream_->waited(); }

void StageLink::Abort() { stream_->Abort(); }

}  // namespace enigma::worker
