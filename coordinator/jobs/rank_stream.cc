#include "coordinator/jobs/rank_stream.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/status_macros.h"
#include "rpc/status_conversion.h"

namespace enigma::coordinator {
namespace {

constexpr absl::Duration kFirstPause = absl::Milliseconds(50);
constexpr absl::Duration kLongestPause = absl::Seconds(1);

}  // namespace

RankStream::RankStream(ControlPlane& plane, std::string node_id, MakePreparation prepare, OnEvent on_event,
                       OnLost on_lost)
    : plane_(plane),
      node_id_(std::move(node_id)),
      prepare_(std::move(prepare)),
      on_event_(std::move(on_event)),
      on_lost_(std::move(on_lost)),
      thread_([this] { Run(); }) {}

RankStream::~RankStream() {
  Cancel();
  thread_.join();
}

void RankStream::Cancel() {
  absl::MutexLock lock(&mutex_);
  stopping_ = true;
  if (context_ != nullptr) context_->TryCancel();
}

bool RankStream::Stopping(absl::Duration timeout) {
  absl::MutexLock lock(&mutex_);
  mutex_.AwaitWithTimeout(absl::Condition(&stopping_), timeout);
  return stopping_;
}

void RankStream::Run() {
  RunUntilStopped();
  over_ = true;
  on_lost_(absl::OkStatus());
}

void RankStream::RunUntilStopped() {
  absl::Duration pause = kFirstPause;
  while (!Stopping(absl::ZeroDuration())) {
    const absl::Duration began = plane_.clock.Monotonic();
    const absl::Status ended = RunOnce();
    if (Stopping(absl::ZeroDuration())) return;
    on_lost_(ended);
    pause = plane_.clock.Monotonic() - began > kLongestPause ? kFirstPause : std::min(pause * 2, kLongestPause);
    if (Stopping(pause)) return;
  }
}

absl::Status RankStream::RunOnce() {
  const std::optional<Node> node = plane_.nodes.Find(node_id_);
  if (!node || node->state != NodeState::kReady) return absl::UnavailableError("its node does not attend");
  ENIGMA_ASSIGN_OR_RETURN(const std::shared_ptr<grpc::Channel> channel, plane_.channels.Connect(*node));
  const auto stub = enigma::v1::Ranks::NewStub(channel);
  grpc::ClientContext context;
  {
    absl::MutexLock lock(&mutex_);
    if (stopping_) return absl::CancelledError("the stream is closed");
    context_ = &context;
  }
  const std::unique_ptr<Stream> stream = stub->Run(&context);
  enigma::v1::RankOrder order;
  *order.mutable_prepare() = prepare_();
  if (stream->Write(order)) {
    {
      absl::MutexLock lock(&mutex_);
      stream_ = stream.get();
    }
    enigma::v1::RankEvent event;
    while (stream->Read(&event)) on_event_(event);
  }
  {
    absl::MutexLock sending(&send_mutex_);
    absl::MutexLock lock(&mutex_);
    stream_ = nullptr;
  }
  const absl::Status ended = FromGrpc(stream->Finish());
  absl::MutexLock lock(&mutex_);
  context_ = nullptr;
  return ended;
}

void RankStream::SendLast(const enigma::v1::RankOrder& order) {
  absl::MutexLock sending(&send_mutex_);
  Stream* stream = nullptr;
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
    stream = stream_;
    if (stream == nullptr && context_ != nullptr) context_->TryCancel();
  }
  if (stream != nullptr && stream->Write(order)) stream->WritesDone();
}

bool RankStream::Send(const enigma::v1::RankOrder& order) {
  absl::MutexLock sending(&send_mutex_);
  Stream* stream = nullptr;
  {
    absl::MutexLock lock(&mutex_);
    stream = stream_;
  }
  return stream != nullptr && stream->Write(order);
}

}  // namespace enigma::coordinator
