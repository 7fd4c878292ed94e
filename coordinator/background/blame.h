#pragma once

#include <cstddef>
#include <span>
#include <string>

namespace enigma::coordinator {

// What somebody says of a replica that cannot go on.
struct FailureReport {
  std::string node;    // who says it; empty: the coordinator, of a stream of its own
  std::string lost;    // the node that does not answer any more; empty: the failure is the speaker's own
  std::string reason;  // a sentence, with the names of the nodes
};

// Which report tells the cause: when one stage fails, its neighbours lose it, theirs lose them, and the news may come
// in any order. A stage's own failure explains everything; then the loss of a node that itself says nothing; else (a
// link is cut, and each end has lost the other) what came first. `reports` is not empty. Pure.
size_t CauseAmong(std::span<const FailureReport> reports);

}  // namespace enigma::coordinator
