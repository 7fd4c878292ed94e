#pragma once

#include <string>
#include <vector>

#include <absl/time/time.h>

#include "coordinator/jobs/epoch_policy.h"

namespace enigma::coordinator {

// Links between ranks that broke lately, until both ends have been in one epoch for a while: if such a link breaks
// again, a job does not try a second time whether it holds. Not thread-safe.
class LinkDoubts {
 public:
  explicit LinkDoubts(absl::Duration healthy = absl::Minutes(1)) : healthy_(healthy) {}

  void Add(const std::vector<Rift>& broken);
  // These have been in one epoch for so long.
  void Serve(const std::vector<std::string>& members, absl::Duration for_time);

  const std::vector<Rift>& pairs() const { return pairs_; }

 private:
  const absl::Duration healthy_;
  std::vector<Rift> pairs_;  // at most one for any two nodes
};

}  // namespace enigma::coordinator
