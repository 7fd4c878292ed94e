#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "engine/kernels/attention.h"
#include "engine/kernels/matmul.h"
#include "engine/spec/model_spec.h"
#include "engine/tensor/aligned_buffer.h"

namespace enigma::engine {

// Memory that a step of up to `max_rows` rows works in, allocated once per stage and shared by its layers, which run
// one after another. Also carries the step itself: where each row stands and which runs the rows belong to.
struct Workspace {
  Workspace(const ModelSpec& spec, size_t max_rows);
  uint64_t bytes() const;  // what the activations will have grown to included

  // Widths in floats of one row of the buffers below.
  size_t hidden;
  size_t attention_width;  // heads * head_dim
  size_t kv_width;         // kv_heads * head_dim
  size_t qkv_width;        // queries, keys and values of a row, one after another
  size_t ffn;

  AlignedBuffer<float> x;          // [max_rows, hidden]: the residual stream
  AlignedBuffer<float> normed;     // [max_rows, hidden]
  AlignedBuffer<float> qkv;        // [max_rows, qkv_width]
  AlignedBuffer<float> attention;  // [max_rows, attention_width]
  AlignedBuffer<float> gate_up;    // [max_rows, 2 * ffn]: gate, then up
  AlignedBuffer<float> projected;  // [max_rows, hidden]: what is added to the residual stream
  ActivationRows activations;

  std::vector<uint32_t> positions;  // [rows]
  std::vector<AttentionRun> runs;
};

}  // namespace enigma::engine
