#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "coordinator/state/link_table.h"

namespace enigma::coordinator {

// What placement knows of a model. Bytes are those a stage occupies (engine/spec/memory_estimate.h).
struct ModelShape {
  struct Part {
    uint64_t bytes = 0;  // weights, read once per decoded token
    double flops = 0;    // per token of prefill
  };
  std::vector<Part> layers;
  Part output;                  // the last stage's share besides its layers
  uint64_t kv_block_bytes = 0;  // one block of 32 tokens in one layer
  uint64_t workspace_first = 0;
  uint64_t workspace_middle = 0;
  uint64_t workspace_last = 0;
  uint64_t workspace_whole = 0;  // of a stage that is first and last
  uint64_t wire_row_bytes = 0;   // hidden states of one token between two stages
};

struct CandidateNode {
  std::string id;
  std::string label;  // as messages name it
  uint64_t memory_free_bytes = 0;
  double bytes_per_second = 0;   // weights streamed in decode
  double flops_per_second = 0;   // in prefill
  uint32_t stages = 0;           // of other replicas, on it by now
  bool encodes_pictures = true;  // its program knows image encoders
};

// Share of a node's free memory that placement leaves alone.
inline constexpr double kHeadroom = 0.10;

// What is left of it.
inline uint64_t LessHeadroom(uint64_t memory_free_bytes) {
  return static_cast<uint64_t>(static_cast<double>(memory_free_bytes) * (1.0 - kHeadroom));
}

// Contiguous layer ranges on distinct nodes: stage i runs layers [cuts[i], cuts[i + 1]) on nodes[i].
struct Pipeline {
  std::vector<size_t> nodes;   // indices of candidates
  std::vector<uint32_t> cuts;  // stages + 1 of them, from 0 to the number of layers
  double decode_seconds = 0;   // per token of one stream, links included
};

// One placement question with its costs. Immutable after construction; costs are O(1).
class Problem {
 public:
  // `links[i][j]`: from candidate i to candidate j; the diagonal is not read.
  Problem(ModelShape shape, std::vector<CandidateNode> nodes, std::vector<std::vector<Link>> links, uint32_t kv_blocks);

  uint32_t layers() const { return static_cast<uint32_t>(shape_.layers.size()); }
  size_t node_count() const { return nodes_.size(); }
  const ModelShape& shape() const { return shape_; }
  const std::vector<CandidateNode>& nodes() const { return nodes_; }
  uint32_t kv_blocks() const { return kv_blocks_; }

  uint64_t WeightBytes(uint32_t first, uint32_t last) const;
  uint64_t KvBytes(uint32_t first, uint32_t last) const;
  uint64_t WorkspaceBytes(uint32_t first, uint32_t last) const;
  uint64_t StageBytes(uint32_t first, uint32_t last) const;
  uint64_t UsableBytes(size_t node) const { return usable_[node]; }  // free memory less headroom
  bool Fits(size_t node, uint32_t first, uint32_t last) const { return StageBytes(first, last) <= usable_[node]; }

  double DecodeSeconds(size_t node, uint32_t first, uint32_t last) const;
  double PrefillSeconds(size_t node, uint32_t first, uint32_t last) const;  // per token
  double LinkSeconds(size_t from, size_t to) const;                         // hidden states of one token
  double ReturnSeconds(size_t last, size_t first) const;                    // the token's id back to the first stage
  double PipelineSeconds(const Pipeline& pipeline) const;                   // decode of one token, all links
  double fastest_bytes_per_second() const { return fastest_; }

  // The same question with `bytes` more usable memory on every node.
  Problem WithMoreMemory(uint64_t bytes) const;

 private:
  ModelShape shape_;
  std::vector<CandidateNode> nodes_;
  std::vector<std::vector<Link>> links_;
  uint32_t kv_blocks_;
  std::vector<uint64_t> usable_;
  std::vector<uint64_t> bytes_before_;  // of layers [0, i)
  std::vector<double> flops_before_;
  double fastest_ = 0;
};

}  // namespace enigma::coordinator
