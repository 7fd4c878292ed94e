#pragma once

#include <cstdint>
#include <vector>

#include <absl/status/status.h>
#include <absl/time/time.h>

namespace enigma::engine {

// Messages between this rank and the others of an epoch, in order per pair, each whole or not at all. What carries them
// is somebody else's business: threads of one process, or streams between workers. Thread-safe.
//
// The links of an epoch live and die together: one that breaks, or an Abort anywhere, ends all of them on all ranks,
// and everybody's error is the first reason that came to its ears. A rank that is done destroys its links; what it has
// sent still arrives, and only those that want more of it are told that it has left.
class PeerLinks {
 public:
  virtual ~PeerLinks() = default;

  virtual uint32_t rank() const = 0;
  virtual uint32_t size() const = 0;
  // Does not wait for the network, but does while too much is on its way to `peer`, until that takes some of it.
  virtual absl::Status Send(uint32_t peer, std::vector<uint8_t> message) = 0;
  // Until a message of `peer` is there. An error due to the loss of a rank, which need not be `peer`, is one of
  // LostRankError.
  virtual absl::Status Receive(uint32_t peer, std::vector<uint8_t>* message) = 0;
  // Until the links are broken, which the error says; OK where they are not within `timeout`.
  virtual absl::Status AwaitFailure(absl::Duration timeout) = 0;
  // Ends all waiting, here and on the peers.
  virtual void Abort(const absl::Status& reason) = 0;
  // Peers of which nothing was heard any more when the links broke, or is now: of a link that broke both ends are to
  // know, though one of them noticed first and its reason is everybody's.
  virtual std::vector<uint32_t> Unheard() const { return {}; }
};

}  // namespace enigma::engine
