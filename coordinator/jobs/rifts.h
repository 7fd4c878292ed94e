#pragma once

#include <string>
#include <vector>

#include "coordinator/jobs/epoch_policy.h"

namespace enigma::coordinator {

// What a rank that halted says of its links.
struct LinkClaim {
  std::string node;
  std::string lost;  // the peer that it lost; empty: it says of none
  double speed = 1;
};

// Which nodes to leave out, all of them being alive. Two that name each other cannot reach each other: the slower one
// goes, of equals the later. Who names one that names another only follows that one's loss. One that is named by
// somebody without saying anything itself goes by the same rule, but only `again`, when going on with everybody has
// been tried: links break for a moment, too.
std::vector<Rift> FindRifts(const std::vector<LinkClaim>& claims, bool again);

}  // namespace enigma::coordinator
