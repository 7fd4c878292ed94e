#include "coordinator/jobs/rifts.h"

#include <algorithm>
#include <utility>

namespace enigma::coordinator {
namespace {

using Pair = std::pair<const LinkClaim*, const LinkClaim*>;  // in the order of the claims

bool Names(const LinkClaim& claim, const std::string& peer) {
  return claim.lost == peer || std::find(claim.unheard.begin(), claim.unheard.end(), peer) != claim.unheard.end();
}

struct Pairs {
  std::vector<Pair> mutual;
  std::vector<Pair> one_sided;
};

Pairs PairsOf(const std::vector<LinkClaim>& claims) {
  Pairs pairs;
  for (auto first = claims.begin(); first != claims.end(); ++first) {
    for (auto second = first + 1; second != claims.end(); ++second) {
      const bool there = Names(*first, second->node);
      const bool back = Names(*second, first->node);
      const LinkClaim& named = there ? *second : *first;
      if (there && back) {
        pairs.mutual.emplace_back(&*first, &*second);
      } else if ((there || back) && named.lost.empty() && named.unheard.empty()) {
        pairs.one_sided.emplace_back(&*first, &*second);
      }
    }
  }
  return pairs;
}

// Who of each pair is to go.
std::vector<Rift> WhoGoes(std::vector<Pair> pairs) {
  std::vector<Rift> rifts;
  const auto count = [&](const LinkClaim* claim) {
    return std::count_if(pairs.begin(), pairs.end(),
                         [&](const Pair& pair) { return pair.first == claim || pair.second == claim; });
  };
  while (!pairs.empty()) {
    const auto [first, second] = pairs.front();
    const auto firsts = count(first);
    const auto seconds = count(second);
    const bool first_goes = firsts != seconds ? firsts > seconds : first->speed < second->speed;
    const LinkClaim* goes = first_goes ? first : second;
    rifts.push_back({goes->node, (first_goes ? second : first)->node});
    std::erase_if(pairs, [&](const Pair& pair) { return pair.first == goes || pair.second == goes; });
  }
  return rifts;
}

}  // namespace

BrokenLinks FindRifts(const std::vector<LinkClaim>& claims, const std::vector<Rift>& doubts) {
  Pairs pairs = PairsOf(claims);
  if (!pairs.mutual.empty()) return {.rifts = WhoGoes(std::move(pairs.mutual)), .doubts = {}};
  std::vector<Pair> again;
  BrokenLinks broken;
  for (const Pair& pair : pairs.one_sided) {
    const Rift doubt{pair.first->node, pair.second->node};
    const bool tried = std::any_of(doubts.begin(), doubts.end(), [&](const Rift& one) { return SamePair(one, doubt); });
    if (tried) again.push_back(pair);
    broken.doubts.push_back(doubt);
  }
  if (!again.empty()) return {.rifts = WhoGoes(std::move(again)), .doubts = {}};
  return broken;
}

}  // namespace enigma::coordinator
