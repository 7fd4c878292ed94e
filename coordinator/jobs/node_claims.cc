#include "coordinator/jobs/node_claims.h"

#include <algorithm>
#include <tuple>

namespace enigma::coordinator {

bool NodeClaims::GoesBefore(uint64_t job, const Wants& wants, uint64_t other, const Wants& its) const {
  const auto place = [](uint64_t id, const Turn& turn) {
    return std::tuple(turn.has_members, -int64_t{turn.priority}, turn.submitted_unix_ms, id);
  };
  return place(job, wants.turn) < place(other, its.turn);
}

void NodeClaims::Want(uint64_t job, const Turn& turn, const std::set<std::string>& nodes, absl::Duration now) {
  absl::MutexLock lock(&mutex_);
  wants_[job] = {turn, nodes};
  for (const std::string& node : nodes) {
    if (!jobs_.contains(node)) wanted_since_.emplace(node, now);
  }
  std::erase_if(wanted_since_, [&](const auto& entry) {
    return std::none_of(wants_.begin(), wants_.end(),
                        [&](const auto& wants) { return wants.second.nodes.contains(entry.first); });
  });
}

bool NodeClaims::Take(uint64_t job, const std::string& node, absl::Duration now) {
  absl::MutexLock lock(&mutex_);
  if (const auto claimed = jobs_.find(node); claimed != jobs_.end()) return claimed->second == job;
  const auto mine = wants_.find(job);
  if (mine != wants_.end()) {
    const auto since = wanted_since_.emplace(node, now).first->second;
    for (const auto& [other, wants] : wants_) {
      if (other == job || !GoesBefore(other, wants, job, mine->second)) continue;
      if (wants.nodes.contains(node) || now - since < kPatience) return false;
    }
  }
  jobs_.emplace(node, job);
  wanted_since_.erase(node);
  return true;
}

void NodeClaims::Keep(uint64_t job, const std::set<std::string>& nodes) {
  absl::MutexLock lock(&mutex_);
  std::erase_if(jobs_, [&](const auto& claim) { return claim.second == job && !nodes.contains(claim.first); });
}

void NodeClaims::End(uint64_t job) {
  absl::MutexLock lock(&mutex_);
  std::erase_if(jobs_, [&](const auto& claim) { return claim.second == job; });
  wants_.erase(job);
}

std::set<std::string> NodeClaims::OfOthers(uint64_t job) const {
  absl::MutexLock lock(&mutex_);
  std::set<std::string> nodes;
  for (const auto& [node, its] : jobs_) {
    if (its != job) nodes.insert(node);
  }
  return nodes;
}

std::set<std::string> NodeClaims::Taken() const {
  absl::MutexLock lock(&mutex_);
  std::set<std::string> nodes;
  for (const auto& [node, job] : jobs_) nodes.insert(node);
  return nodes;
}

}  // namespace enigma::coordinator
