#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>

#include "engine/collective/peer_link.h"

namespace enigma::engine {

// Ranks that are threads of one process. Thread-safe.
class InProcessNetwork {
 public:
  struct Options {
    size_t window_bytes = 8 << 20;  // from one rank to another, until they are taken
    // Called on the sender's thread before each message; a test makes it late with this.
    std::function<void(uint32_t from, uint32_t to)> before_send = nullptr;
  };
  explicit InProcessNetwork(uint32_t ranks) : InProcessNetwork(ranks, Options()) {}
  InProcessNetwork(uint32_t ranks, Options options);

  // The links of a rank, once for each. They may outlive the network.
  std::unique_ptr<PeerLinks> Join(uint32_t rank);
  // As if the process of this rank had died: its links break, and the others notice.
  void Kill(uint32_t rank);

 private:
  class Links;
  struct State;
  std::shared_ptr<State> state_;  // shared with the links of all ranks
};

}  // namespace enigma::engine
