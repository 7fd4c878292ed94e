#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include <absl/base/thread_annotations.h>
#include <absl/status/statusor.h>
#include <absl/synchronization/mutex.h>
#include <absl/time/time.h>

namespace enigma::worker {

// One stream, seen from what its epoch needs of it. Thread-safe. Never called with a lock held, and calls none of the
// mesh's methods with a lock of its own held.
class RankStream {
 public:
  virtual ~RankStream() = default;
  // Tells the other end that this one lives, and how many bytes it has taken of the messages on this stream.
  virtual void Pulse(uint64_t taken) = 0;
  // Tells the other end why the epoch is broken, as far as it hears anything, and ends.
  virtual void Abort(const absl::Status& reason) = 0;
  // Ends in good order, once what was sent is there.
  virtual void Close() = 0;
};

// What the streams of one rank in one epoch have in common: messages that have come and are not taken yet, room for
// those that go, who has been heard of, and what broke first. There are two streams for each peer: one opened by this
// rank, which sends there, and one that the peer opened. Thread-safe. Knows nothing of gRPC.
class RankMesh {
 public:
  enum class Way { kOut, kIn };  // opened by this rank, by the peer

  struct Options {
    uint32_t rank = 0;
    std::vector<std::string> nodes;  // ids of all ranks
    size_t window_bytes = 8 << 20;
    int silent_pulses_max = 10;  // a stream of which nothing is heard for so many pulses is dead
  };
  explicit RankMesh(Options options);

  // The peer with this node id; PermissionDenied where it is not among the ranks.
  absl::StatusOr<uint32_t> RankOf(const std::string& node_id) const;
  std::string NameOf(uint32_t rank) const;  // "rank 2 (node c)"
  uint32_t rank() const { return options_.rank; }
  uint32_t size() const { return static_cast<uint32_t>(options_.nodes.size()); }

  // --- What PeerLinks does.
  // Waits until `bytes` more may be on their way to `peer`, and counts them.
  absl::Status AwaitRoom(uint32_t peer, size_t bytes);
  absl::Status Take(uint32_t peer, std::vector<uint8_t>* message);
  // Breaks the epoch, unless it is broken, and aborts all streams.
  void Fail(const absl::Status& reason);
  absl::Status failure() const;
  absl::Status AwaitFailure(absl::Duration timeout) const;  // OK: there was none by then
  // Whether all streams stand; waits at most `timeout` for it. The failure, where there is one.
  absl::StatusOr<bool> AwaitStreams(absl::Duration timeout);
  // Peers on a stream of which nothing had been heard for half of silent_pulses_max or more when the epoch broke, or
  // now while it is whole.
  std::vector<uint32_t> Unheard() const;
  // An error that is due to the first peer of which a stream is missing.
  absl::Status Missing() const;
  // To be called at even intervals: sends pulses, and fails where a peer has been silent for too long.
  void Pulse();
  // From now on the end of a stream is no failure. Closes all.
  void Leave();

  // --- What streams report.
  // AlreadyExists where there is or was one; the epoch's failure where it is broken.
  absl::Status Attach(uint32_t peer, Way way, std::shared_ptr<RankStream> stream);
  void Detach(uint32_t peer, Way way);
  void OnHeard(uint32_t peer, Way way);
  // ResourceExhausted where the peer sends more than it may.
  absl::Status OnMessage(uint32_t peer, std::vector<uint8_t> message);
  void OnTaken(uint32_t peer, uint64_t bytes);  // all together
  // The peer has ended this stream in good order, or not.
  void OnLeft(uint32_t peer, Way way);
  void OnLost(uint32_t peer, Way way, const absl::Status& why);

 private:
  struct Side {
    std::shared_ptr<RankStream> stream;  // shared with gRPC
    bool attached = false;               // is, or was
    bool left = false;
    int silent_pulses = 0;
  };
  struct Peer {
    Side out;
    Side in;
    std::deque<std::vector<uint8_t>> messages;
    size_t waiting_bytes = 0;  // of messages
    uint64_t taken_bytes = 0;  // by this rank, since the start
    uint64_t told_bytes = 0;   // what the peer knows of it
    uint64_t sent_bytes = 0;
    uint64_t their_taken_bytes = 0;
  };

  Side& SideOf(uint32_t peer, Way way) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return way == Way::kOut ? peers_[peer].out : peers_[peer].in;
  }
  std::vector<std::shared_ptr<RankStream>> Streams() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::vector<uint32_t> UnheardNow() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status CheckPeer(uint32_t peer) const;
  absl::Status Lost(uint32_t peer, const std::string& why) const;

  const Options options_;
  mutable absl::Mutex mutex_;
  std::vector<Peer> peers_ ABSL_GUARDED_BY(mutex_);  // by rank; this rank's own is not used
  bool leaving_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Status failure_ ABSL_GUARDED_BY(mutex_);
  std::vector<uint32_t> unheard_ ABSL_GUARDED_BY(mutex_);  // at the failure
};

}  // namespace enigma::worker
