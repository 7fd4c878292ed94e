#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include <absl/status/status.h>

#include "engine/kernels/gemm.h"
#include "engine/spec/model_spec.h"
#include "engine/tensor/thread_pool.h"
#include "engine/training/parameters.h"

namespace enigma::engine {

// Where one layer's tensors lie in the flat buffers. Query, key and value are one matrix there, gate and up another.
struct LayerOffsets {
  size_t begin = 0;
  size_t end = 0;
  size_t attention_norm = 0;
  size_t qkv = 0;
  size_t qkv_bias = 0;    // of families that have it
  size_t query_norm = 0;  // likewise
  size_t key_norm = 0;
  size_t attention_output = 0;
  size_t ffn_norm = 0;
  size_t gate_up = 0;
  size_t down = 0;
};
// What a model calls its layers' tensors, and the one behind the last layer.
struct LayerNames {
  std::string_view prefix = "blk.";
  std::string_view end = "output_norm.weight";
};
LayerOffsets OffsetsOf(const ParameterLayout& layout, const ModelSpec& spec, uint32_t layer,
                       const LayerNames& names = {});

// InvalidArgument where the trainer cannot train such a model, with the reason.
absl::Status CheckTrainable(const ModelSpec& spec);

// A matrix W [rows, cols] as the right factor of both products that training makes with it.
struct ProductPanels {
  explicit ProductPanels(ProductPrecision precision) : forward(precision), backward(precision) {}

  GemmPanels forward;   // W^T: out = in W^T
  GemmPanels backward;  // W: d_in = d_out W

  void Set(const float* w, size_t rows, size_t cols, ThreadPool& pool) {
    forward.Set({w, 1, cols}, cols, rows, pool);
    backward.Set({w, cols, 1}, rows, cols, pool);
  }
};

// Packed once per step, used by all its slots.
struct LayerPanels {
  explicit LayerPanels(ProductPrecision precision)
      : qkv(precision), attention_output(precision), gate_up(precision), down(precision) {}

  ProductPanels qkv;
  ProductPanels attention_output;
  ProductPanels gate_up;
  ProductPanels down;

  void Set(const float* weights, const LayerOffsets& offsets, const ModelSpec& spec, ThreadPool& pool);
};

}  // namespace enigma::engine
