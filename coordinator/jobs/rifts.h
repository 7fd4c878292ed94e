#pragma once

#include <string>
#include <vector>

#include "coordinator/jobs/epoch_policy.h"

namespace enigma::coordinator {

// What a rank that halted says of its links.
struct LinkClaim {
  std::string node;
  std::string lost;  // the peer that it lost, or was told to be lost; empty: it says of none
  double speed = 1;
  std::vector<std::string> unheard = {};  // peers that had been silent for a while when the epoch broke
};

struct BrokenLinks {
  std::vector<Rift> rifts;   // `node` is to be left out
  std::vector<Rift> doubts;  // only one end tells of it: going on with both is worth a try
};

// Which links are broken, all nodes being alive. Two that name each other cannot reach each other: who is cut off from
// more peers goes, else the slower one, of equals the later. Who names one that names another only follows that one's
// loss. Where nobody names each other, one that is named by somebody without naming anybody is a doubt, since links
// break for a moment, too; of a pair in `doubts` one goes at once, for going on with both has been tried.
BrokenLinks FindRifts(const std::vector<LinkClaim>& claims, const std::vector<Rift>& doubts);

}  // namespace enigma::coordinator
