#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "coordinator/placement/search.h"

namespace enigma::coordinator {
namespace {

// A beginning: stages on nodes.front() .. nodes.back(), layers up to cuts.back() placed.
struct Beginning {
  std::vector<size_t> nodes;
  std::vector<uint32_t> cuts;
  double seconds = 0;
  double at_least = 0;  // with everything that must still come
};

bool Uses(const Beginning& beginning, size_t node) {
  return std::find(beginning.nodes.begin(), beginning.nodes.end(), node) != beginning.nodes.end();
}

// Nodes from the fastest to the slowest: by index for equal speeds, so that results do not depend on the library.
std::vector<size_t> BySpeed(const Problem& problem) {
  std::vector<size_t> order(problem.node_count());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return problem.nodes()[a].bytes_per_second > problem.nodes()[b].bytes_per_second;
  });
  return order;
}

// Least seconds for layers [done, all) on the nodes that `usable` accepts, cut anywhere, links for nothing; infinite
// when their memory cannot hold them.
template <typename Usable>
double RestAtLeast(const Problem& problem, const std::vector<size_t>& by_speed, uint32_t done, const Usable& usable) {
  const uint32_t layers = problem.layers();
  auto weights_left = static_cast<double>(problem.WeightBytes(done, layers));
  auto memory_left = weights_left + static_cast<double>(problem.KvBytes(done, layers));
  double seconds = 0;
  for (const size_t node : by_speed) {
    if (!usable(node)) continue;
    const auto room = static_cast<double>(problem.UsableBytes(node));
    // A stage may be all weights (the output head has no keys and values), so room bounds weights alone.
    const double held = std::min(weights_left, room);
    seconds += held / problem.nodes()[node].bytes_per_second;
    weights_left -= held;
    memory_left -= room;
    if (memory_left <= 0) return seconds;
  }
  return memory_left <= 0 ? seconds : kNoWay;
}

class Beam {
 public:
  Beam(const Problem& problem, uint32_t stages, size_t width)
      : problem_(problem),
        stages_(stages),
        width_(width),
        by_speed_(BySpeed(problem)),
        reached_(problem.layers() + 1) {}

  std::optional<Pipeline> Run() {
    Extend(Beginning{{}, {0}, 0, 0});
    for (uint32_t done = 1; done < problem_.layers(); ++done) {
      Narrow(reached_[done]);
      const std::vector<Beginning> beginnings = std::move(reached_[done]);
      for (const Beginning& beginning : beginnings) Extend(beginning);
    }
    const std::vector<Beginning>& whole = reached_.back();
    if (whole.empty()) return std::nullopt;
    const auto best = std::min_element(whole.begin(), whole.end(), [](const Beginning& a, const Beginning& b) {
      return a.seconds != b.seconds ? a.seconds < b.seconds : a.nodes.size() < b.nodes.size();
    });
    return Pipeline{best->nodes, best->cuts, best->seconds};
  }

 private:
  void Extend(const Beginning& beginning) {
    const uint32_t layers = problem_.layers();
    const uint32_t done = beginning.cuts.back();
    const auto stage = static_cast<uint32_t>(beginning.nodes.size()) + 1;
    if (stages_ != 0 && stage > stages_) return;
    // Layers that forced stages after this one must still get.
    const uint32_t reserved = stages_ == 0 ? 0 : stages_ - stage;
    for (size_t node = 0; node < problem_.node_count(); ++node) {
      if (Uses(beginning, node)) continue;
      const double arrived =
          beginning.seconds + (beginning.nodes.empty() ? 0 : problem_.LinkSeconds(beginning.nodes.back(), node));
      for (uint32_t last = done + 1; last + reserved <= layers; ++last) {
        if (stages_ != 0 && stage == stages_ && last != layers) continue;
        if (!problem_.Fits(node, done, last)) continue;
        Add(beginning, node, last, arrived + problem_.DecodeSeconds(node, done, last));
      }
    }
  }

  void Add(const Beginning& from, size_t node, uint32_t last, double seconds) {
    const bool whole = last == problem_.layers();
    if (whole) seconds += problem_.ReturnSeconds(node, from.nodes.empty() ? node : from.nodes.front());
    if (!std::isfinite(seconds)) return;  // over a link that does not work
    const double rest =
        RestAtLeast(problem_, by_speed_, last, [&](size_t other) { return other != node && !Uses(from, other); });
    if (rest == kNoWay) return;
    Beginning next = from;
    next.nodes.push_back(node);
    next.cuts.push_back(last);
    next.seconds = seconds;
    next.at_least = seconds + rest;
    reached_[last].push_back(std::move(next));
    if (reached_[last].size() > 8 * width_) Narrow(reached_[last]);
  }

  void Narrow(std::vector<Beginning>& beginnings) const {
    if (beginnings.size() <= width_) return;
    std::stable_sort(beginnings.begin(), beginnings.end(),
                     [](const Beginning& a, const Beginning& b) { return a.at_least < b.at_least; });
    beginnings.resize(width_);
  }

  const Problem& problem_;
  const uint32_t stages_;
  const size_t width_;
  const std::vector<size_t> by_speed_;
  std::vector<std::vector<Beginning>> reached_;  // by layers done
};

}  // namespace

std::optional<Pipeline> SearchBeam(const Problem& problem, uint32_t stages, size_t width) {
  if (problem.layers() == 0 || stages > problem.layers() || stages > problem.node_count()) return std::nullopt;
  return Beam(problem, stages, width).Run();
}

double DecodeSecondsAtLeast(const Problem& problem) {
  return RestAtLeast(problem, BySpeed(problem), 0, [](size_t) { return true; });
}

}  // namespace enigma::coordinator
