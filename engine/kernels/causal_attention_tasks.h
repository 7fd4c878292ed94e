#pragma once

#include <array>
#include <cstddef>
#include <functional>
#include <span>

#include "engine/kernels/causal_attention.h"

namespace enigma::engine {

// What one thread computes at a time: the query heads of one key/value head, within the document at rows
// [first, first + rows).
struct CausalAttentionTask {
  size_t first;
  size_t rows;
  size_t kv_head;
};

// Calls `body` once for each task of a batch, those of long documents first, so that threads finish together. Dies
// where shape or starts break the contract of CausalAttention.
void ForEachCausalAttentionTask(const CausalAttentionShape& shape, std::span<const uint32_t> starts, ThreadPool& pool,
                                const std::function<void(const CausalAttentionTask&)>& body);

// Memory of the calling thread, aligned to 64 bytes and not initialised, until its next call. It is kept for that one.
float* CausalAttentionScratch(size_t floats);

// The same in pieces of the given sizes, each a multiple of 16.
template <size_t kPieces>
std::array<float*, kPieces> CausalAttentionScratch(const std::array<size_t, kPieces>& sizes) {
  size_t total = 0;
  for (const size_t size : sizes) total += size;
  std::array<float*, kPieces> pieces;
  float* at = CausalAttentionScratch(total);
  for (size_t i = 0; i < kPieces; ++i) {
    pieces[i] = at;
    at += sizes[i];
  }
  return pieces;
}

// Rows of one head, from some row of a batch on.
struct HeadRows {
  const float* data = nullptr;
  size_t stride = 0;
  const float* row(size_t r) const { return data + r * stride; }
};

// Asks memory for rows some time before they are read or written: heads lie apart in a batch, where no prefetcher of
// the machine finds them, and few requests at a time, between pieces of arithmetic, hold nothing up.
class RowFetcher {
 public:
  explicit RowFetcher(size_t head_dim) : head_dim_(head_dim) {}
  // Forgets the rows that were not yet asked for.
  void Clear() { count_ = 0; }
  void Add(HeadRows rows, size_t count);
  // Asks for the next `count` rows of each that was added.
  void Step(size_t count);

 private:
  struct Stream {
    HeadRows rows;
    size_t left;
  };
  const size_t head_dim_;
  std::array<Stream, 8> streams_;
  size_t count_ = 0;
};

}  // namespace enigma::engine
