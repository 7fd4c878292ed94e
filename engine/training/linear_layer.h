#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "engine/kernels/gemm.h"
#include "engine/tensor/thread_pool.h"
#include "engine/training/layer_weights.h"
#include "engine/training/parameters.h"

namespace enigma::engine {

// A product with a bias, NAME.weight and NAME.bias of a layout, forward and backward.
class LinearLayer {
 public:
  LinearLayer(const ParameterLayout& layout, const std::string& name, ProductPrecision precision, ThreadPool& pool);

  // As of Decoder.
  void SetWeights(const float* weights);
  void ShareWeights(const LinearLayer& owner);

  // out[rows, outputs] = x[rows, inner] W^T + bias
  void Forward(const float* x, size_t rows, float* out) const;
  // Writes the gradients of weight and bias, and of x into d_x unless that is null. `inputs` is scratch memory.
  void Backward(const float* x, const float* d_out, size_t rows, GemmPanels& inputs, float* d_x, float* gradient) const;

  size_t inner() const { return inner_; }
  size_t outputs() const { return outputs_; }

 private:
  ThreadPool& pool_;
  const size_t weight_;  // offsets
  const size_t bias_;
  const size_t inner_;
  const size_t outputs_;
  const float* weights_ = nullptr;
  std::shared_ptr<ProductPanels> panels_;
};

}  // namespace enigma::engine
