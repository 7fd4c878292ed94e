#include "worker/pipeline/stage_inbox.h"

#include <utility>

#include <absl/strings/str_cat.h>

namespace enigma::worker {

absl::Status StageInbox::OnFrame(const LinkPeer& peer, grpc::ByteBuffer frame) {
  absl::MutexLock lock(&mutex_);
  if (closed_) return absl::NotFoundError("the stage is not loaded any more");
  // The first stage keeps the number of steps in flight small, so a full inbox is a sender that breaks the rules.
  if (frames_ >= frames_max_) {
    return absl::ResourceExhaustedError(absl::StrCat(frames_, " frames wait already, the most allowed"));
  }
  ++frames_;
  events_.push_back(FrameArrived{peer, std::move(frame)});
  return absl::OkStatus();
}

void StageInbox::OnLinkLost(const LinkPeer& peer, const absl::Status& reason) {
  Tell(LinkLost{.peer = peer, .outgoing = false, .reason = reason});
}

void StageInbox::Tell(StageEvent news) {
  absl::MutexLock lock(&mutex_);
  if (!closed_) events_.push_back(std::move(news));
}

absl::Status StageInbox::Ask(StageEvent request) {
  absl::MutexLock lock(&mutex_);
  if (closed_) return absl::UnavailableError("the stage is not loaded any more");
  if (events_.size() >= requests_max_) {
    return absl::ResourceExhaustedError(absl::StrCat(events_.size(), " requests wait already; try again later"));
  }
  events_.push_back(std::move(request));
  return absl::OkStatus();
}

std::optional<StageEvent> StageInbox::Pop(bool wait) {
  absl::MutexLock lock(&mutex_);
  const auto ready = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return !events_.empty() || closed_; };
  if (wait) mutex_.Await(absl::Condition(&ready));
  if (events_.empty() || closed_) return std::nullopt;
  StageEvent event = std::move(events_.front());
  events_.pop_front();
  if (std::holds_alternative<FrameArrived>(event)) --frames_;
  return event;
}

void StageInbox::Close() {
  absl::MutexLock lock(&mutex_);
  closed_ = true;
}

bool StageInbox::closed() const {
  absl::MutexLock lock(&mutex_);
  return closed_;
}

bool StageInbox::empty() const {
  absl::MutexLock lock(&mutex_);
  return events_.empty();
}

}  // namespace enigma::worker
