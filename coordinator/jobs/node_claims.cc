#include "coordinator/jobs/node_claims.h"

namespace enigma::coordinator {

bool NodeClaims::Take(uint64_t job, const std::string& node) {
  absl::MutexLock lock(&mutex_);
  return jobs_.emplace(node, job).first->second == job;
}

void NodeClaims::Keep(uint64_t job, const std::set<std::string>& nodes) {
  absl::MutexLock lock(&mutex_);
  std::erase_if(jobs_, [&](const auto& claim) { return claim.second == job && !nodes.contains(claim.first); });
}

std::set<std::string> NodeClaims::OfOthers(uint64_t job) const {
  absl::MutexLock lock(&mutex_);
  std::set<std::string> nodes;
  for (const auto& [node, its] : jobs_) {
    if (its != job) nodes.insert(node);
  }
  return nodes;
}

}  // namespace enigma::coordinator
