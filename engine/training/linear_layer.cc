#include "engine/training/linear_layer.h"

#include <algorithm>

#include "engine/kernels/column_sums.h"
#include "engine/kernels/swiglu.h"

namespace enigma::engine {

LinearLayer::LinearLayer(const ParameterLayout& layout, const std::string& name, ProductPrecision precision,
                         ThreadPool& pool)
    : pool_(pool),
      weight_(layout.Find(name + ".weight")->offset),
      bias_(layout.Find(name + ".bias")->offset),
      inner_(layout.Find(name + ".weight")->shape[0]),
      outputs_(layout.Find(name + ".weight")->shape[1]),
      panels_(std::make_shared<ProductPanels>(precision)) {}

void LinearLayer::SetWeights(const float* weights) {
  weights_ = weights;
  panels_->Set(weights + weight_, outputs_, inner_, pool_);
}

void LinearLayer::ShareWeights(const LinearLayer& owner) {
  weights_ = owner.weights_;
  panels_ = owner.panels_;
}

void LinearLayer::Forward(const float* x, size_t rows, float* out) const {
  Gemm({x, inner_, 1}, rows, panels_->forward, out, outputs_, nullptr, pool_);
  AddBias(out, outputs_, weights_ + bias_, rows, outputs_, pool_);
}

void LinearLayer::Backward(const float* x, const float* d_out, size_t rows, GemmPanels& inputs, float* d_x,
                           float* gradient) const {
  inputs.Set({x, inner_, 1}, rows, inner_, pool_);
  Gemm({d_out, 1, outputs_}, outputs_, inputs, gradient + weight_, inner_, nullptr, pool_);
  std::fill_n(gradient + bias_, outputs_, 0.0F);
  AddColumnSums(d_out, outputs_, rows, outputs_, gradient + bias_, pool_);
  if (d_x != nullptr) Gemm({d_out, outputs_, 1}, rows, panels_->backward, d_x, inner_, nullptr, pool_);
}

}  // namespace enigma::engine
