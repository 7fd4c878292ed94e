#include "worker/pipeline/stage_inbox.h"

#include <sched.h>
#include <sys/resource.h>

#include <utility>

#include <absl/strings/str_cat.h>

#include "base/clock.h"

namespace enigma::worker {
namespace {

// Who holds a core for so long does more than bring a frame.
constexpr absl::Duration kComputed = absl::Microseconds(1300);

// How often this thread had to leave the core to another. A virtual core that its host takes away is not counted.
int64_t TimesDisplaced() {
  rusage usage = {};
  return ::getrusage(RUSAGE_THREAD, &usage) == 0 ? usage.ru_nivcsw : 0;
}

}  // namespace

absl::Status StageInbox::OnFrame(const LinkPeer& peer, grpc::ByteBuffer frame) {
  const absl::Duration now = Clock::System().Monotonic();
  absl::MutexLock lock(&mutex_);
  if (closed_) return absl::NotFoundError("the stage is not loaded any more");
  // The first stage keeps the number of steps in flight small, so a full inbox is a sender that breaks the rules.
  if (frames_ >= frames_max_) {
    return absl::ResourceExhaustedError(absl::StrCat(frames_, " frames wait already, the most allowed"));
  }
  ++frames_;
  Push(FrameArrived{peer, std::move(frame), now});
  return absl::OkStatus();
}

void StageInbox::OnLinkLost(const LinkPeer& peer, const absl::Status& reason) {
  Tell(LinkLost{.peer = peer, .outgoing = false, .reason = reason});
}

void StageInbox::Tell(StageEvent news) {
  absl::MutexLock lock(&mutex_);
  if (!closed_) Push(std::move(news));
}

absl::Status StageInbox::Ask(StageEvent request) {
  absl::MutexLock lock(&mutex_);
  if (closed_) return absl::UnavailableError("the stage is not loaded any more");
  if (events_.size() >= requests_max_) {
    return absl::ResourceExhaustedError(absl::StrCat(events_.size(), " requests wait already; try again later"));
  }
  Push(std::move(request));
  return absl::OkStatus();
}

std::optional<StageEvent> StageInbox::Pop(Wait wait) {
  if (wait == Wait::kLong) AwaitEvent(absl::InfiniteDuration());
  if (wait == Wait::kSoon) AwaitBeat();
  return Take();
}

void StageInbox::AwaitEvent(absl::Duration timeout) {
  absl::MutexLock lock(&mutex_);
  mutex_.AwaitWithTimeout(absl::Condition(this, &StageInbox::HasNewsLocked), timeout);
}

void StageInbox::AwaitBeat() {
  if (news_.load(std::memory_order_acquire)) return;  // no wait tells nothing about the beat
  const Clock& clock = Clock::System();
  const absl::Duration start = clock.Monotonic();
  AwaitEvent(forecast_.Sleep());
  Look(forecast_.Look());
  AwaitEvent(absl::InfiniteDuration());
  forecast_.Observe(clock.Monotonic() - start);
}

void StageInbox::Look(absl::Duration most) {
  const Clock& clock = Clock::System();
  absl::Duration now = clock.Monotonic();
  const absl::Duration end = now + most;
  int64_t displaced = TimesDisplaced();
  while (!news_.load(std::memory_order_acquire) && now < end) {
    // Whoever else wants the core gets it, gRPC's thread that brings the frame first of all.
    sched_yield();
    const absl::Duration before = std::exchange(now, clock.Monotonic());
    if (now - before < kComputed) continue;
    const int64_t displaced_before = std::exchange(displaced, TimesDisplaced());
    if (displaced == displaced_before) continue;
    forecast_.Crowded();
    return;
  }
}

std::optional<StageEvent> StageInbox::Take() {
  absl::MutexLock lock(&mutex_);
  handed_out_ = !events_.empty() && !closed_;
  if (!handed_out_) return std::nullopt;
  StageEvent event = std::move(events_.front());
  events_.pop_front();
  if (std::holds_alternative<FrameArrived>(event)) --frames_;
  news_.store(!events_.empty(), std::memory_order_release);
  return event;
}

void StageInbox::Push(StageEvent event) {
  events_.push_back(std::move(event));
  news_.store(true, std::memory_order_release);
}

void StageInbox::Close() {
  absl::MutexLock lock(&mutex_);
  closed_ = true;
  news_.store(true, std::memory_order_release);
}

bool StageInbox::closed() const {
  absl::MutexLock lock(&mutex_);
  return closed_;
}

bool StageInbox::idle() const {
  absl::MutexLock lock(&mutex_);
  return events_.empty() && !handed_out_;
}

}  // namespace enigma::worker
