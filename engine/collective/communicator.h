#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include <absl/status/status.h>

namespace enigma::engine {

// What the ranks of one epoch of a job do together. Every rank makes the same calls in the same order, with the same
// sizes; a difference that can be noticed is an error, not a wrong sum. One thread calls; Abort may come from any.
// After the first error every call returns it: an epoch that broke is over, and the next one has a new communicator.
class Communicator {
 public:
  virtual ~Communicator() = default;  // aborts

  virtual uint32_t rank() const = 0;
  virtual uint32_t size() const = 0;

  // Begins to add up `values` over all ranks, in place, and returns without waiting for the network, so that several
  // are under way while the caller computes. `values` must stay and not be touched until Wait. Sums wrap around. After
  // an error, when they may be touched again, they hold nothing of use.
  virtual absl::Status StartSum(std::span<int64_t> values) = 0;
  // Until all that was started is complete.
  virtual absl::Status Wait() = 0;
  // `bytes` of `root` for everybody; the same size everywhere. Waits.
  virtual absl::Status Broadcast(std::span<uint8_t> bytes, uint32_t root) = 0;

  // Ends what is under way, here at once and on the other ranks as soon as they hear of it. `reason` is what calls
  // return from then on, unless something else broke before.
  virtual void Abort(const absl::Status& reason) = 0;
  // As PeerLinks::Unheard.
  virtual std::vector<uint32_t> Unheard() const { return {}; }
  // Bytes sent and received since the start, and the seconds for which Wait had to wait.
  struct Traffic {
    uint64_t sent_bytes = 0;
    uint64_t received_bytes = 0;
    double waited_seconds = 0;
  };
  virtual Traffic traffic() const = 0;
};

}  // namespace enigma::engine
