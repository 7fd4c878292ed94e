#include "coordinator/placement/problem.h"

#include <algorithm>
#include <utility>

namespace enigma::coordinator {

Problem::Problem(ModelShape shape, std::vector<CandidateNode> nodes, std::vector<std::vector<Link>> links,
                 uint32_t kv_blocks)
    : shape_(std::move(shape)), nodes_(std::move(nodes)), links_(std::move(links)), kv_blocks_(kv_blocks) {
  bytes_before_.push_back(0);
  flops_before_.push_back(0);
  for (const ModelShape::Part& layer : shape_.layers) {
    bytes_before_.push_back(bytes_before_.back() + layer.bytes);
    flops_before_.push_back(flops_before_.back() + layer.flops);
  }
  for (const CandidateNode& node : nodes_) {
    usable_.push_back(LessHeadroom(node.memory_free_bytes));
    fastest_ = std::max(fastest_, node.bytes_per_second);
  }
}

uint64_t Problem::WeightBytes(uint32_t first, uint32_t last) const {
  return bytes_before_[last] - bytes_before_[first] + (last == layers() ? shape_.output.bytes : 0);
}

uint64_t Problem::KvBytes(uint32_t first, uint32_t last) const {
  return uint64_t{last - first} * kv_blocks_ * shape_.kv_block_bytes;
}

uint64_t Problem::WorkspaceBytes(uint32_t first, uint32_t last) const {
  if (first == 0) return last == layers() ? shape_.workspace_whole : shape_.workspace_first;
  return last == layers() ? shape_.workspace_last : shape_.workspace_middle;
}

uint64_t Problem::StageBytes(uint32_t first, uint32_t last) const {
  return WeightBytes(first, last) + KvBytes(first, last) + WorkspaceBytes(first, last);
}

double Problem::DecodeSeconds(size_t node, uint32_t first, uint32_t last) const {
  return static_cast<double>(WeightBytes(first, last)) / nodes_[node].bytes_per_second;
}

double Problem::PrefillSeconds(size_t node, uint32_t first, uint32_t last) const {
  const double flops = flops_before_[last] - flops_before_[first];
  return flops / nodes_[node].flops_per_second;
}

double Problem::LinkSeconds(size_t from, size_t to) const {
  const Link& link = links_[from][to];
  const double transfer =
      link.bytes_per_second > 0 ? static_cast<double>(shape_.wire_row_bytes) / link.bytes_per_second : 0;
  return link.round_trip_seconds / 2 + transfer;
}

double Problem::ReturnSeconds(size_t last, size_t first) const {
  return last == first ? 0 : links_[last][first].round_trip_seconds / 2;
}

double Problem::PipelineSeconds(const Pipeline& pipeline) const {
  double seconds = ReturnSeconds(pipeline.nodes.back(), pipeline.nodes.front());
  for (size_t i = 0; i < pipeline.nodes.size(); ++i) {
    seconds += DecodeSeconds(pipeline.nodes[i], pipeline.cuts[i], pipeline.cuts[i + 1]);
    if (i + 1 < pipeline.nodes.size()) seconds += LinkSeconds(pipeline.nodes[i], pipeline.nodes[i + 1]);
  }
  return seconds;
}

Problem Problem::WithMoreMemory(uint64_t bytes) const {
  Problem other = *this;
  for (uint64_t& usable : other.usable_) usable += bytes;
  return other;
}

}  // namespace enigma::coordinator
