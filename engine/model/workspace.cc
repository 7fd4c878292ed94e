#include "engine/model/workspace.h"

#include <algorithm>

namespace enigma::engine {

Workspace::Workspace(const ModelSpec& spec, size_t max_rows)
    : hidden(spec.hidden),
      attention_width(size_t{spec.heads} * spec.head_dim),
      kv_width(size_t{spec.kv_heads} * spec.head_dim),
      qkv_width(attention_width + 2 * kv_width),
      ffn(spec.ffn),
      x(max_rows * hidden),
      normed(max_rows * hidden),
      qkv(max_rows * qkv_width),
      attention(max_rows * attention_width),
      gate_up(max_rows * 2 * ffn),
      projected(max_rows * hidden) {
  positions.reserve(max_rows);
}

uint64_t Workspace::bytes() const {
  const size_t floats = x.size() + normed.size() + qkv.size() + attention.size() + gate_up.size() + projected.size();
  const size_t rows = x.size() / hidden;
  const size_t widest = std::max({hidden, attention_width, ffn});
  const size_t chunks = (widest + ActivationChunk::kElements - 1) / ActivationChunk::kElements;
  return floats * sizeof(float) + rows * chunks * sizeof(ActivationChunk);
}

}  // namespace enigma::engine
