#include <bit>
#include <cmath>
#include <vector>

#include "coordinator/placement/search.h"

namespace enigma::coordinator {
namespace {

// Costs that differ by less are one cost: then fewer stages win.
constexpr double kTie = 1e-9;

struct Cell {
  double seconds = kNoWay;
  uint16_t previous_layers = 0;
  uint8_t previous_node = 0;
};

// The dynamic programme for one first node.
class Search {
 public:
  Search(const Problem& problem, uint32_t stages_max)
      : problem_(problem),
        nodes_(problem.node_count()),
        layers_(problem.layers()),
        stages_max_(stages_max),
        cells_((size_t{1} << nodes_) * nodes_ * (layers_ + 1)) {}

  // Fills the table with every beginning on `first` that may still beat `bound` seconds.
  void Run(size_t first, double bound) {
    std::fill(cells_.begin(), cells_.end(), Cell{});
    for (uint32_t last = 1; last <= layers_; ++last) {
      if (problem_.Fits(first, 0, last)) At(1U << first, first, last).seconds = problem_.DecodeSeconds(first, 0, last);
    }
    for (uint32_t used = 1; used < (1U << nodes_); ++used) {
      if ((used >> first & 1U) == 0 || static_cast<uint32_t>(std::popcount(used)) >= stages_max_) continue;
      for (size_t node = 0; node < nodes_; ++node) {
        if (used >> node & 1U) Extend(used, node, bound);
      }
    }
  }

  const Cell& Final(uint32_t used, size_t node) const { return At(used, node, layers_); }

  Pipeline Trace(uint32_t used, size_t node) const {
    Pipeline pipeline;
    uint32_t done = layers_;
    pipeline.cuts.push_back(done);
    while (true) {
      pipeline.nodes.insert(pipeline.nodes.begin(), node);
      const Cell& cell = At(used, node, done);
      const bool is_first = std::popcount(used) == 1;
      used &= ~(1U << node);
      done = is_first ? 0 : cell.previous_layers;
      pipeline.cuts.insert(pipeline.cuts.begin(), done);
      if (is_first) return pipeline;
      node = cell.previous_node;
    }
  }

 private:
  void Extend(uint32_t used, size_t node, double bound) {
    for (uint32_t done = 1; done < layers_; ++done) {
      const double so_far = At(used, node, done).seconds;
      if (so_far == kNoWay) continue;
      const double rest =
          static_cast<double>(problem_.WeightBytes(done, layers_)) / problem_.fastest_bytes_per_second();
      if (so_far + rest > bound * (1 + kTie)) continue;
      for (size_t next = 0; next < nodes_; ++next) {
        if (used >> next & 1U) continue;
        const double arrived = so_far + problem_.LinkSeconds(node, next);
        for (uint32_t last = done + 1; last <= layers_; ++last) {
          if (!problem_.Fits(next, done, last)) continue;
          Cell& cell = At(used | 1U << next, next, last);
          const double seconds = arrived + problem_.DecodeSeconds(next, done, last);
          if (seconds < cell.seconds) {
            cell = {seconds, static_cast<uint16_t>(done), static_cast<uint8_t>(node)};
          }
        }
      }
    }
  }

  Cell& At(uint32_t used, size_t node, uint32_t done) { return cells_[(used * nodes_ + node) * (layers_ + 1) + done]; }
  const Cell& At(uint32_t used, size_t node, uint32_t done) const {
    return cells_[(used * nodes_ + node) * (layers_ + 1) + done];
  }

  const Problem& problem_;
  const size_t nodes_;
  const uint32_t layers_;
  const uint32_t stages_max_;
  std::vector<Cell> cells_;
};

}  // namespace

std::optional<Pipeline> SearchExact(const Problem& problem, uint32_t stages) {
  const size_t nodes = problem.node_count();
  const uint32_t layers = problem.layers();
  if (nodes == 0 || nodes > kExactNodesMax || layers == 0 || stages > nodes || stages > layers) return std::nullopt;

  // A pipeline found cheaply cuts most of the table off.
  std::optional<Pipeline> best = SearchBeam(problem, stages);
  double best_seconds = best ? best->decode_seconds : kNoWay;
  Search search(problem, stages == 0 ? static_cast<uint32_t>(nodes) : stages);
  for (size_t first = 0; first < nodes; ++first) {
    search.Run(first, best_seconds);
    for (uint32_t used = 1; used < (1U << nodes); ++used) {
      const auto count = static_cast<uint32_t>(std::popcount(used));
      if ((used >> first & 1U) == 0 || (stages != 0 && count != stages)) continue;
      for (size_t node = 0; node < nodes; ++node) {
        if ((used >> node & 1U) == 0) continue;
        const double seconds = search.Final(used, node).seconds;
        if (seconds == kNoWay) continue;
        const double total = seconds + problem.ReturnSeconds(node, first);
        const bool tie = best && std::abs(total - best_seconds) <= kTie * best_seconds;
        if (tie ? count < best->nodes.size() : total < best_seconds) {
          best = search.Trace(used, node);
          best_seconds = total;
        }
      }
    }
  }
  if (best) best->decode_seconds = problem.PipelineSeconds(*best);
  return best;
}

}  // namespace enigma::coordinator
