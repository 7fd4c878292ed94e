#include "worker/training/rank_mesh.h"

#include <utility>

#include <absl/strings/str_cat.h>

#include "engine/collective/lost_rank.h"

namespace enigma::worker {
namespace {

// What a message counts beside its bytes: empty ones cost memory, too.
constexpr size_t kMessageCost = 64;

size_t CostOf(const std::vector<uint8_t>& message) { return message.size() + kMessageCost; }

}  // namespace

RankMesh::RankMesh(Options options) : options_(std::move(options)), peers_(options_.nodes.size()) {}

absl::StatusOr<uint32_t> RankMesh::RankOf(const std::string& node_id) const {
  for (uint32_t rank = 0; rank < size(); ++rank) {
    if (rank != options_.rank && options_.nodes[rank] == node_id) return rank;
  }
  return absl::PermissionDeniedError(absl::StrCat("node ", node_id, " is no other rank of this epoch"));
}

std::string RankMesh::NameOf(uint32_t rank) const {
  return absl::StrCat("rank ", rank, " (node ", options_.nodes[rank], ")");
}

absl::Status RankMesh::CheckPeer(uint32_t peer) const {
  if (peer < size() && peer != options_.rank) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("rank ", peer, " is no peer of rank ", options_.rank));
}

absl::Status RankMesh::Lost(uint32_t peer, const std::string& why) const {
  return engine::LostRankError(peer, absl::StrCat(NameOf(peer), " is lost: ", why));
}

absl::Status RankMesh::AwaitRoom(uint32_t peer, size_t bytes) {
  if (const absl::Status valid = CheckPeer(peer); !valid.ok()) return valid;
  bytes += kMessageCost;
  absl::MutexLock lock(&mutex_);
  Peer& to = peers_[peer];
  const auto settled = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    const uint64_t under_way = to.sent_bytes - to.their_taken_bytes;
    return under_way == 0 || under_way + bytes <= options_.window_bytes || to.out.left || !failure_.ok();
  };
  mutex_.Await(absl::Condition(&settled));
  if (!failure_.ok()) return failure_;
  if (to.out.left) return absl::UnavailableError(absl::StrCat(NameOf(peer), " has left the epoch"));
  to.sent_bytes += bytes;
  return absl::OkStatus();
}

absl::Status RankMesh::Take(uint32_t peer, std::vector<uint8_t>* message) {
  if (const absl::Status valid = CheckPeer(peer); !valid.ok()) return valid;
  std::shared_ptr<RankStream> tell;
  uint64_t taken = 0;
  {
    absl::MutexLock lock(&mutex_);
    Peer& from = peers_[peer];
    const auto settled = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
      return !from.messages.empty() || from.in.left || !failure_.ok();
    };
    mutex_.Await(absl::Condition(&settled));
    if (!failure_.ok()) return failure_;
    if (from.messages.empty()) return absl::UnavailableError(absl::StrCat(NameOf(peer), " has left the epoch"));
    *message = std::move(from.messages.front());
    from.messages.pop_front();
    from.waiting_bytes -= CostOf(*message);
    from.taken_bytes += CostOf(*message);
    // Smaller amounts can wait for the next pulse.
    if (from.taken_bytes - from.told_bytes >= options_.window_bytes / 4) {
      tell = from.in.stream;
      taken = from.told_bytes = from.taken_bytes;
    }
  }
  if (tell != nullptr) tell->Pulse(taken);
  return absl::OkStatus();
}

void RankMesh::Fail(const absl::Status& reason) {
  std::vector<std::shared_ptr<RankStream>> streams;
  const absl::Status why = reason.ok() ? absl::CancelledError("aborted") : reason;
  {
    absl::MutexLock lock(&mutex_);
    if (!failure_.ok()) return;
    failure_ = why;
    unheard_ = UnheardNow();
    streams = Streams();
  }
  for (const auto& stream : streams) stream->Abort(why);
}

absl::Status RankMesh::failure() const {
  absl::MutexLock lock(&mutex_);
  return failure_;
}

std::vector<uint32_t> RankMesh::Unheard() const {
  absl::MutexLock lock(&mutex_);
  return failure_.ok() ? UnheardNow() : unheard_;
}

std::vector<uint32_t> RankMesh::UnheardNow() const {
  std::vector<uint32_t> ranks;
  const auto unheard = [&](const Side& side) {
    return side.stream != nullptr && !side.left && 2 * side.silent_pulses >= options_.silent_pulses_max;
  };
  for (uint32_t rank = 0; rank < size(); ++rank) {
    if (unheard(peers_[rank].out) || unheard(peers_[rank].in)) ranks.push_back(rank);
  }
  return ranks;
}

absl::Status RankMesh::AwaitFailure(absl::Duration timeout) const {
  absl::MutexLock lock(&mutex_);
  const auto broken = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return !failure_.ok(); };
  mutex_.AwaitWithTimeout(absl::Condition(&broken), timeout);
  return failure_;
}

absl::StatusOr<bool> RankMesh::AwaitStreams(absl::Duration timeout) {
  absl::MutexLock lock(&mutex_);
  const auto complete = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    for (uint32_t rank = 0; rank < size(); ++rank) {
      if (rank != options_.rank && !(peers_[rank].out.attached && peers_[rank].in.attached)) return false;
    }
    return true;
  };
  const auto settled = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return !failure_.ok() || complete(); };
  mutex_.AwaitWithTimeout(absl::Condition(&settled), timeout);
  if (!failure_.ok()) return failure_;
  return complete();
}

absl::Status RankMesh::Missing() const {
  absl::MutexLock lock(&mutex_);
  for (uint32_t rank = 0; rank < size(); ++rank) {
    if (rank == options_.rank || (peers_[rank].out.attached && peers_[rank].in.attached)) continue;
    const char* const way = peers_[rank].out.attached ? "no link from " : "no link to ";
    return engine::LostRankError(rank, absl::StrCat(way, NameOf(rank), ": it did not open one in time"));
  }
  return absl::OkStatus();
}

void RankMesh::Pulse() {
  struct Due {
    std::shared_ptr<RankStream> stream;
    uint64_t taken;
  };
  std::vector<Due> due;
  absl::Status lost;
  {
    absl::MutexLock lock(&mutex_);
    if (!failure_.ok()) return;
    for (uint32_t rank = 0; rank < size(); ++rank) {
      Peer& peer = peers_[rank];
      peer.told_bytes = peer.taken_bytes;
      for (Side* side : {&peer.out, &peer.in}) {
        if (side->stream == nullptr || side->left) continue;
        due.push_back({side->stream, side == &peer.in ? peer.taken_bytes : 0});
        if (++side->silent_pulses > options_.silent_pulses_max && lost.ok() && !leaving_) {
          lost = Lost(rank, "it is silent");
        }
      }
    }
  }
  for (const Due& one : due) one.stream->Pulse(one.taken);
  if (!lost.ok()) Fail(lost);
}

void RankMesh::Leave() {
  std::vector<std::shared_ptr<RankStream>> streams;
  {
    absl::MutexLock lock(&mutex_);
    leaving_ = true;
    if (!failure_.ok()) return;  // they are aborted
    streams = Streams();
  }
  for (const auto& stream : streams) stream->Close();
}

absl::Status RankMesh::Attach(uint32_t peer, Way way, std::shared_ptr<RankStream> stream) {
  absl::MutexLock lock(&mutex_);
  if (!failure_.ok()) return failure_;
  if (leaving_) return absl::FailedPreconditionError(absl::StrCat(NameOf(options_.rank), " has left the epoch"));
  Side& side = SideOf(peer, way);
  if (side.attached) return absl::AlreadyExistsError(absl::StrCat("a stream with ", NameOf(peer), " stands already"));
  side.attached = true;
  if (side.left) return absl::UnavailableError(absl::StrCat(NameOf(peer), " has left the epoch"));
  side.stream = std::move(stream);
  return absl::OkStatus();
}

void RankMesh::Detach(uint32_t peer, Way way) {
  std::shared_ptr<RankStream> gone;  // destroyed without the lock
  absl::MutexLock lock(&mutex_);
  gone = std::move(SideOf(peer, way).stream);
  SideOf(peer, way).stream = nullptr;
}

void RankMesh::OnHeard(uint32_t peer, Way way) {
  absl::MutexLock lock(&mutex_);
  SideOf(peer, way).silent_pulses = 0;
}

absl::Status RankMesh::OnMessage(uint32_t peer, std::vector<uint8_t> message) {
  absl::MutexLock lock(&mutex_);
  if (leaving_ || !failure_.ok()) return absl::OkStatus();  // nobody takes it
  Peer& from = peers_[peer];
  from.in.silent_pulses = 0;
  if (!from.messages.empty() && from.waiting_bytes + CostOf(message) > options_.window_bytes) {
    return absl::ResourceExhaustedError(
        absl::StrCat(NameOf(peer), " sends more than the ", options_.window_bytes, " bytes that may wait here"));
  }
  from.waiting_bytes += CostOf(message);
  from.messages.push_back(std::move(message));
  return absl::OkStatus();
}

void RankMesh::OnTaken(uint32_t peer, uint64_t bytes) {
  absl::Status wrong;
  {
    absl::MutexLock lock(&mutex_);
    Peer& to = peers_[peer];
    to.out.silent_pulses = 0;
    if (bytes > to.sent_bytes) {
      wrong = absl::DataLossError(absl::StrCat(NameOf(peer), " has taken more bytes than were sent to it"));
    } else if (bytes > to.their_taken_bytes) {
      to.their_taken_bytes = bytes;
    }
  }
  if (!wrong.ok()) Fail(wrong);
}

void RankMesh::OnLeft(uint32_t peer, Way way) {
  absl::MutexLock lock(&mutex_);
  SideOf(peer, way).left = true;
}

void RankMesh::OnLost(uint32_t peer, Way way, const absl::Status& why) {
  {
    absl::MutexLock lock(&mutex_);
    // One that has sent all it wants to send may go; one that takes no more may still have something on its way.
    if (leaving_ || peers_[peer].in.left || (way == Way::kOut && peers_[peer].out.left)) return;
  }
  Fail(Lost(peer, std::string(why.message())));
}

std::vector<std::shared_ptr<RankStream>> RankMesh::Streams() const {
  std::vector<std::shared_ptr<RankStream>> streams;
  for (const Peer& peer : peers_) {
    if (peer.out.stream != nullptr) streams.push_back(peer.out.stream);
    if (peer.in.stream != nullptr) streams.push_back(peer.in.stream);
  }
  return streams;
}

}  // namespace enigma::worker
