#include "discovery/node_source.h"

#include <algorithm>

namespace enigma {

std::vector<std::string> CoordinatorEndpoints(const NodeSource& source) {
  std::vector<NodeSighting> sightings = source.Snapshot();
  const auto rank = [](const NodeSighting& one) { return one.verified ? 0 : one.role ? 1 : 2; };
  std::stable_sort(sightings.begin(), sightings.end(), [&](const NodeSighting& a, const NodeSighting& b) {
    if (rank(a) != rank(b)) return rank(a) < rank(b);
    return a.role && b.role && a.last_seen > b.last_seen;  // seeds stay in the order in which they were written
  });
  std::vector<std::string> endpoints;
  for (const NodeSighting& one : sightings) {
    if (one.role && *one.role != Role::kCoordinator) continue;
    for (const std::string& endpoint : one.endpoints) {
      if (std::find(endpoints.begin(), endpoints.end(), endpoint) == endpoints.end()) endpoints.push_back(endpoint);
    }
  }
  return endpoints;
}

}  // namespace enigma
