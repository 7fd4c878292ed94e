#include "engine/model/output_head.h"

#include <algorithm>

#include "base/status_macros.h"
#include "engine/kernels/rms_norm.h"
#include "engine/model/tensor_loading.h"

namespace enigma::engine {

absl::StatusOr<OutputHead> OutputHead::Load(const WeightSource& weights, const ModelSpec& spec, size_t max_rows,
                                            ThreadPool& pool) {
  OutputHead head;
  head.epsilon_ = spec.norm_epsilon;
  ENIGMA_ASSIGN_OR_RETURN(head.norm_, LoadVector(weights, "output_norm.weight", spec.hidden));
  const char* name = spec.tied_embeddings ? "token_embd.weight" : "output.weight";
  ENIGMA_ASSIGN_OR_RETURN(const StoredTensor tensor, weights.Tensor(name));
  ENIGMA_ASSIGN_OR_RETURN(head.product_, Projection::Load({&tensor, 1}, spec.hidden, pool));
  head.normed_ = AlignedBuffer<float>(max_rows * spec.hidden);
  head.logits_ = AlignedBuffer<float>(max_rows * spec.vocab);
  return head;
}

void OutputHead::Norm(float* x, size_t rows, ThreadPool& pool) const {
  const size_t width = norm_.size();
  RmsNorm(x, width, norm_.data(), epsilon_, rows, width, x, width, pool);
}

void OutputHead::Forward(const float* x, const std::vector<size_t>& rows, ActivationRows& activations,
                         ThreadPool& pool) {
  const size_t width = norm_.size();
  for (size_t i = 0; i < rows.size(); ++i) std::copy_n(x + rows[i] * width, width, normed_.data() + i * width);
  activations.Set(normed_.data(), rows.size(), width, width, product_.needs_quantised(), pool);
  product_.Apply(activations, logits_.data(), product_.outputs(), pool);
}

}  // namespace enigma::engine
