#include "worker/training/stream_links.h"

#include <algorithm>
#include <string>
#include <thread>
#include <utility>

#include <absl/strings/str_cat.h>
#include <absl/time/clock.h>

#include "base/status_macros.h"
#include "engine/collective/lost_rank.h"
#include "worker/training/outgoing_stream.h"
#include "worker/training/rank_mesh.h"

namespace enigma::worker {
namespace {

constexpr int kSilentPulses = 10;
constexpr absl::Duration kAskAgain = absl::Milliseconds(20);  // a peer that has not begun the epoch
constexpr absl::Duration kLookEvery = absl::Milliseconds(20);
constexpr absl::Duration kCloseTimeout = absl::Seconds(1);
constexpr absl::Duration kAbortTimeout = absl::Milliseconds(200);

class StreamLinks final : public engine::PeerLinks {
 public:
  StreamLinks(StreamLinksOptions options, const NodeChannels& channels, IncomingStreams& incoming)
      : options_(std::move(options)),
        channels_(channels),
        incoming_(incoming),
        mesh_(std::make_shared<RankMesh>(MeshOptions(options_))),
        streams_(options_.ranks.size()) {}

  ~StreamLinks() override {
    if (!open_) return;
    mesh_->Leave();
    // A broken epoch is to make room for the next one; who has not heard of the reason by then hears of the break.
    const absl::Time deadline = absl::Now() + (mesh_->failure().ok() ? kCloseTimeout : kAbortTimeout);
    for (const auto& stream : streams_) {
      if (stream != nullptr) stream->AwaitDone(deadline);
    }
    incoming_.Remove(options_.job, options_.epoch);
    stopping_.Notify();
    pulse_.join();
  }

  absl::Status Open();

  uint32_t rank() const override { return options_.rank; }
  uint32_t size() const override { return mesh_->size(); }
  absl::Status Send(uint32_t peer, std::vector<uint8_t> message) override {
    ENIGMA_RETURN_IF_ERROR(mesh_->AwaitRoom(peer, message.size()));
    streams_[peer]->Send(std::move(message));
    return absl::OkStatus();
  }
  absl::Status Receive(uint32_t peer, std::vector<uint8_t>* message) override { return mesh_->Take(peer, message); }
  absl::Status AwaitFailure(absl::Duration timeout) override { return mesh_->AwaitFailure(timeout); }
  void Abort(const absl::Status& reason) override { mesh_->Fail(reason); }
  std::vector<uint32_t> Unheard() const override { return mesh_->Unheard(); }

 private:
  static RankMesh::Options MeshOptions(const StreamLinksOptions& options) {
    RankMesh::Options mesh;
    mesh.rank = options.rank;
    for (const v1::NodeAddress& node : options.ranks) mesh.nodes.push_back(node.node_id());
    mesh.window_bytes = options.window_bytes;
    mesh.silent_pulses_max = kSilentPulses;
    return mesh;
  }

  // Why opening is to end; OK: it is not.
  absl::Status GiveUp() const {
    const bool cancelled = options_.cancelled != nullptr && options_.cancelled->HasBeenNotified();
    return cancelled ? absl::CancelledError("links are not wanted any more") : mesh_->failure();
  }
  void Pulse();
  absl::Status OpenStreams(absl::Time deadline);
  absl::Status OpenStream(uint32_t peer, absl::Time deadline);
  absl::StatusOr<bool> AwaitAnswer(uint32_t peer, OutgoingStream& stream) const;
  absl::Status AwaitAll(absl::Time deadline);

  const StreamLinksOptions options_;
  const NodeChannels& channels_;
  IncomingStreams& incoming_;
  const std::shared_ptr<RankMesh> mesh_;
  std::vector<std::shared_ptr<OutgoingStream>> streams_;  // by rank; shared with gRPC; constant once open
  bool open_ = false;                                     // as far as the destructor goes
  absl::Notification stopping_;
  std::thread pulse_;
};

absl::Status StreamLinks::Open() {
  if (options_.rank >= options_.ranks.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat("rank ", options_.rank, " is not one of ", options_.ranks.size(), " ranks"));
  }
  ENIGMA_RETURN_IF_ERROR(incoming_.Add(options_.job, options_.epoch, mesh_));
  open_ = true;
  pulse_ = std::thread([this] { Pulse(); });
  const absl::Time deadline = absl::Now() + options_.open_timeout;
  absl::Status opened = OpenStreams(deadline);
  if (opened.ok()) opened = AwaitAll(deadline);
  if (opened.ok()) return opened;
  mesh_->Fail(opened);
  return mesh_->failure();  // the first one
}

// All at once: what one peer takes to answer is not to be added to what another takes.
absl::Status StreamLinks::OpenStreams(absl::Time deadline) {
  std::vector<std::thread> threads;
  for (uint32_t peer = 0; peer < size(); ++peer) {
    if (peer == rank()) continue;
    threads.emplace_back([this, peer, deadline] {
      if (const absl::Status opened = OpenStream(peer, deadline); !opened.ok()) mesh_->Fail(opened);
    });
  }
  for (std::thread& thread : threads) thread.join();
  return mesh_->failure();
}

// False: it has not begun the epoch. An error that LostRank knows where it is not there.
absl::StatusOr<bool> StreamLinks::AwaitAnswer(uint32_t peer, OutgoingStream& stream) const {
  absl::Status give_up;
  // Counted, not timed: see `silence`.
  for (absl::Duration waited; give_up.ok(); waited += kLookEvery) {
    const absl::StatusOr<bool> accepted = stream.AwaitAccepted(kLookEvery);
    if (absl::IsNotFound(accepted.status())) return false;
    if (!accepted.ok() || *accepted) return accepted;
    give_up = GiveUp();
    if (give_up.ok() && waited >= options_.silence) give_up = engine::LostRankError(peer, "it does not answer");
  }
  stream.AwaitDone(absl::InfinitePast());
  return give_up;
}

absl::Status StreamLinks::OpenStream(uint32_t peer, absl::Time deadline) {
  const std::string what = absl::StrCat("no link to ", mesh_->NameOf(peer), ": ");
  const auto channel = channels_.Connect(options_.ranks[peer], std::min(options_.silence, deadline - absl::Now()));
  if (!channel.ok()) return engine::LostRankError(peer, absl::StrCat(what, channel.status().message()));
  while (true) {
    auto stream = OutgoingStream::Start(
        *channel,
        {.job = options_.job, .epoch = options_.epoch, .node = options_.ranks[rank()].node_id(), .peer = peer}, mesh_);
    const absl::StatusOr<bool> accepted = AwaitAnswer(peer, *stream);
    if (!accepted.ok()) {
      const std::string why = absl::StrCat(what, accepted.status().message());
      if (engine::LostRank(accepted.status()) == peer) return engine::LostRankError(peer, why);
      return absl::Status(accepted.status().code(), why);
    }
    if (*accepted) {
      streams_[peer] = stream;
      return mesh_->Attach(peer, RankMesh::Way::kOut, stream);
    }
    ENIGMA_RETURN_IF_ERROR(GiveUp());
    if (absl::Now() >= deadline) return engine::LostRankError(peer, absl::StrCat(what, "it has not begun the epoch"));
    absl::SleepFor(kAskAgain);
  }
}

absl::Status StreamLinks::AwaitAll(absl::Time deadline) {
  while (true) {
    ENIGMA_ASSIGN_OR_RETURN(const bool complete, mesh_->AwaitStreams(kLookEvery));
    if (complete) return absl::OkStatus();
    ENIGMA_RETURN_IF_ERROR(GiveUp());
    if (absl::Now() >= deadline) return mesh_->Missing();
  }
}

void StreamLinks::Pulse() {
  while (!stopping_.WaitForNotificationWithTimeout(options_.silence / kSilentPulses)) mesh_->Pulse();
}

}  // namespace

absl::StatusOr<std::unique_ptr<engine::PeerLinks>> OpenStreamLinks(StreamLinksOptions options,
                                                                   const NodeChannels& channels,
                                                                   IncomingStreams& incoming) {
  auto links = std::make_unique<StreamLinks>(std::move(options), channels, incoming);
  ENIGMA_RETURN_IF_ERROR(links->Open());
  return links;
}

}  // namespace enigma::worker
