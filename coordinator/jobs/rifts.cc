#include "coordinator/jobs/rifts.h"

#include <algorithm>
#include <utility>

namespace enigma::coordinator {
namespace {

using Pair = std::pair<const LinkClaim*, const LinkClaim*>;  // in the order of the claims

const LinkClaim* Find(const std::vector<LinkClaim>& claims, const std::string& node) {
  const auto found =
      std::find_if(claims.begin(), claims.end(), [&](const LinkClaim& claim) { return claim.node == node; });
  return found == claims.end() ? nullptr : &*found;
}

std::vector<Pair> BrokenPairs(const std::vector<LinkClaim>& claims, bool again) {
  std::vector<Pair> mutual;
  std::vector<Pair> one_sided;
  for (const LinkClaim& claim : claims) {
    const LinkClaim* other = Find(claims, claim.lost);
    if (other == nullptr || other == &claim) continue;
    const Pair pair = &claim < other ? Pair(&claim, other) : Pair(other, &claim);
    if (other->lost == claim.node && pair.first == &claim) mutual.push_back(pair);
    if (other->lost.empty()) one_sided.push_back(pair);
  }
  if (!mutual.empty()) return mutual;
  return again ? one_sided : std::vector<Pair>();
}

}  // namespace

std::vector<Rift> FindRifts(const std::vector<LinkClaim>& claims, bool again) {
  std::vector<Pair> pairs = BrokenPairs(claims, again);
  std::vector<Rift> rifts;
  const auto count = [&](const LinkClaim* claim) {
    return std::count_if(pairs.begin(), pairs.end(),
                         [&](const Pair& pair) { return pair.first == claim || pair.second == claim; });
  };
  while (!pairs.empty()) {
    const auto [first, second] = pairs.front();
    // Who is cut off from several is the one to go.
    const auto firsts = count(first);
    const auto seconds = count(second);
    const bool first_goes = firsts != seconds ? firsts > seconds : first->speed < second->speed;
    const LinkClaim* goes = first_goes ? first : second;
    rifts.push_back({goes->node, (first_goes ? second : first)->node});
    std::erase_if(pairs, [&](const Pair& pair) { return pair.first == goes || pair.second == goes; });
  }
  return rifts;
}

}  // namespace enigma::coordinator
