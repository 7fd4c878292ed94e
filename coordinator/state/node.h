#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <absl/time/time.h>

#include "proto/membership.pb.h"

namespace enigma::coordinator {

enum class NodeState {
  kAbsent,  // known from before a restart of the coordinator; not back yet
  kReady,   // attends and is heard
  kDead,    // its stream broke, or it fell silent
};
std::string_view NodeStateName(NodeState state);

// absent -> ready -> dead -> ready; nothing else.
bool MayMove(NodeState from, NodeState to);

// A node as the coordinator knows it; plain data, given out as copies.
struct Node {
  std::string id;
  NodeState state = NodeState::kAbsent;
  std::string state_reason;  // why it is not ready
  enigma::v1::WorkerHello hello;
  std::vector<enigma::v1::StageStatus> stages;  // of the last heartbeat
  absl::Duration last_seen;                     // on the monotonic clock; meaningless while absent
  bool heard = false;                           // a heartbeat came since it became ready
  bool leaving = false;                         // it says so: nothing new is to come to it
  std::string found_by;
  std::vector<std::string> endpoints;  // host:port, best first

  // Its speed is known, so stages may be placed on it.
  [[nodiscard]] bool measured() const {
    return hello.capability().memory_bytes_per_second() > 0 && hello.capability().flops_per_second() > 0;
  }
  // "7f3a (host-b)", as messages name it.
  [[nodiscard]] std::string Label() const;
};

// Where a worker may be reached: its own addresses with its port, then the address its stream came from.
std::vector<std::string> EndpointsOf(const enigma::v1::WorkerHello& hello, std::string_view peer_host);

}  // namespace enigma::coordinator
