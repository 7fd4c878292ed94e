#include "engine/collective/in_process_links.h"

#include <deque>
#include <utility>

#include <absl/base/thread_annotations.h>
#include <absl/strings/str_cat.h>
#include <absl/synchronization/mutex.h>

#include "engine/collective/lost_rank.h"

namespace enigma::engine {

struct InProcessNetwork::State {
  // What is on its way from one rank to another.
  struct Line {
    std::deque<std::vector<uint8_t>> messages;
    size_t bytes = 0;
  };

  State(uint32_t count, Options with) : ranks(count), options(std::move(with)), lines(size_t{count} * count) {
    left.resize(count);
  }

  Line& LineOf(uint32_t from, uint32_t to) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) {
    return lines[size_t{from} * ranks + to];
  }

  const uint32_t ranks;
  const Options options;
  absl::Mutex mutex;
  std::vector<Line> lines ABSL_GUARDED_BY(mutex);
  std::vector<bool> left ABSL_GUARDED_BY(mutex);
  absl::Status failure ABSL_GUARDED_BY(mutex);
};

namespace {

absl::Status HasLeft(uint32_t peer) { return absl::UnavailableError(absl::StrCat("rank ", peer, " has left")); }

}  // namespace

class InProcessNetwork::Links final : public PeerLinks {
 public:
  Links(std::shared_ptr<State> state, uint32_t rank) : state_(std::move(state)), rank_(rank) {}
  ~Links() override {
    absl::MutexLock lock(&state_->mutex);
    state_->left[rank_] = true;
  }

  uint32_t rank() const override { return rank_; }
  uint32_t size() const override { return state_->ranks; }

  absl::Status Send(uint32_t peer, std::vector<uint8_t> message) override {
    State& state = *state_;
    if (peer >= state.ranks) return absl::InvalidArgumentError(absl::StrCat("there is no rank ", peer));
    if (state.options.before_send) state.options.before_send(rank_, peer);
    absl::MutexLock lock(&state.mutex);
    State::Line& line = state.LineOf(rank_, peer);
    const auto may_go = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(state.mutex) {
      return line.messages.empty() || line.bytes + message.size() <= state.options.window_bytes || state.left[peer] ||
             !state.failure.ok();
    };
    state.mutex.Await(absl::Condition(&may_go));
    if (!state.failure.ok()) return state.failure;
    if (state.left[peer]) return HasLeft(peer);
    line.bytes += message.size();
    line.messages.push_back(std::move(message));
    return absl::OkStatus();
  }

  absl::Status Receive(uint32_t peer, std::vector<uint8_t>* message) override {
    State& state = *state_;
    if (peer >= state.ranks) return absl::InvalidArgumentError(absl::StrCat("there is no rank ", peer));
    absl::MutexLock lock(&state.mutex);
    State::Line& line = state.LineOf(peer, rank_);
    const auto settled = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(state.mutex) {
      return !line.messages.empty() || state.left[peer] || !state.failure.ok();
    };
    state.mutex.Await(absl::Condition(&settled));
    if (!state.failure.ok()) return state.failure;
    if (line.messages.empty()) return HasLeft(peer);
    *message = std::move(line.messages.front());
    line.messages.pop_front();
    line.bytes -= message->size();
    return absl::OkStatus();
  }

  absl::Status AwaitFailure(absl::Duration timeout) override {
    State& state = *state_;
    absl::MutexLock lock(&state.mutex);
    const auto broken = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(state.mutex) { return !state.failure.ok(); };
    state.mutex.AwaitWithTimeout(absl::Condition(&broken), timeout);
    return state.failure;
  }

  void Abort(const absl::Status& reason) override {
    absl::MutexLock lock(&state_->mutex);
    if (state_->failure.ok()) state_->failure = reason;
  }

 private:
  const std::shared_ptr<State> state_;
  const uint32_t rank_;
};

InProcessNetwork::InProcessNetwork(uint32_t ranks, Options options)
    : state_(std::make_shared<State>(ranks, std::move(options))) {}

std::unique_ptr<PeerLinks> InProcessNetwork::Join(uint32_t rank) { return std::make_unique<Links>(state_, rank); }

void InProcessNetwork::Kill(uint32_t rank) {
  absl::MutexLock lock(&state_->mutex);
  if (state_->failure.ok()) {
    state_->failure = LostRankError(rank, absl::StrCat("rank ", rank, " is lost: its process ended"));
  }
}

}  // namespace enigma::engine
