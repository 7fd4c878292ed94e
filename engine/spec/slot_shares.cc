#include "engine/spec/slot_shares.h"

#include <algorithm>
#include <utility>

namespace enigma::engine {
namespace {

// Slots still to be given to each rank: the next one always goes to the rank that would be done with it first.
std::vector<uint32_t> FairShares(uint32_t slots, std::span<const double> speeds, std::vector<uint32_t> shares) {
  for (; slots > 0; --slots) {
    size_t best = 0;
    double soonest = 0;
    for (size_t rank = 0; rank < speeds.size(); ++rank) {
      const double done = (shares[rank] + 1) / speeds[rank];
      if (rank == 0 || done < soonest) {
        best = rank;
        soonest = done;
      }
    }
    ++shares[best];
  }
  return shares;
}

}  // namespace

std::vector<uint32_t> ShareOutSlots(uint32_t slots, std::span<const double> speeds,
                                    const std::vector<std::vector<uint32_t>>& held) {
  constexpr uint32_t kNobody = ~uint32_t{0};
  std::vector<uint32_t> owners(slots, kNobody);
  std::vector<uint32_t> shares(speeds.size());
  for (size_t rank = 0; rank < held.size(); ++rank) {
    for (const uint32_t slot : held[rank]) {
      if (slot >= slots || owners[slot] != kNobody) continue;
      owners[slot] = static_cast<uint32_t>(rank);
    }
  }
  // What is held is computed: time counts from now, so only what is missing is shared out.
  const auto missing = static_cast<uint32_t>(std::count(owners.begin(), owners.end(), kNobody));
  shares = FairShares(missing, speeds, std::move(shares));
  uint32_t rank = 0;
  for (uint32_t& owner : owners) {
    if (owner != kNobody) continue;
    while (shares[rank] == 0) ++rank;
    owner = rank;
    --shares[rank];
  }
  return owners;
}

}  // namespace enigma::engine
