#include "coordinator/jobs/training_power.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "coordinator/operations/measure_links.h"

namespace enigma::coordinator {
namespace {

// Of nodes that did not measure the products of training: what those in f32 are of the quantised ones of prefill, on
// AVX-512.
constexpr double kShareOfQuantised = 1.0 / 7;

double ProductsOf(const enigma::v1::Capability& capability, engine::ProductPrecision precision) {
  const double measured = precision == engine::ProductPrecision::kBf16 ? capability.training_bf16_flops_per_second()
                                                                       : capability.training_flops_per_second();
  return measured > 0 ? measured : kShareOfQuantised * capability.flops_per_second();
}

}  // namespace

MeasuredPower MeasurePower(ControlPlane& plane, const RankNeeds& needs, engine::ProductPrecision precision) {
  MeasuredPower measured;
  const std::vector<Node> all = plane.nodes.List();
  RankChoice choice = ChooseRanks(all, needs);
  measured.reasons = std::move(choice.reasons);
  std::vector<Node> ranks;
  for (const std::string& id : choice.nodes) {
    const auto found = std::find_if(all.begin(), all.end(), [&](const Node& node) { return node.id == id; });
    ranks.push_back(*found);
    measured.nodes.push_back(found->Label());
    measured.power.flops_per_second.push_back(ProductsOf(found->hello.capability(), precision));
  }
  if (ranks.size() < 2) return measured;
  MeasuredLinks links = MeasureLinks(plane, ranks);
  measured.reasons.insert(measured.reasons.end(), links.failures.begin(), links.failures.end());
  Link& slowest = measured.power.slowest_link;
  for (size_t from = 0; from < ranks.size(); ++from) {
    for (size_t to = 0; to < ranks.size(); ++to) {
      const Link& link = links.links[from][to];
      if (from == to || !std::isfinite(link.round_trip_seconds) || link.bytes_per_second <= 0) continue;
      if (slowest.bytes_per_second > 0 && link.bytes_per_second >= slowest.bytes_per_second) continue;
      slowest = link;
    }
  }
  return measured;
}

}  // namespace enigma::coordinator
