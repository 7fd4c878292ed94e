#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "engine/corpus/slot_loader.h"
#include "engine/kernels/rope.h"
#include "engine/spec/model_spec.h"
#include "engine/tensor/thread_pool.h"
#include "engine/training/decoder_layer.h"
#include "engine/training/parameters.h"

namespace enigma::engine {

// Called when [begin, end) of a flat gradient is complete: from its end to its beginning, each part once.
using GradientPart = std::function<void(size_t begin, size_t end)>;

// What stands in a batch where its tokens say kGivenRow (engine/text/given_row.h): a picture's prefix.
struct GivenRows {
  const float* rows = nullptr;  // [such tokens, hidden]
  float* gradient = nullptr;    // likewise; where it goes
};

// The decoder that is trained: a slot forward and backward, in f32 but for the factors of products. One thread calls.
class Decoder {
 public:
  struct Options {
    float dropout = 0;
    float token_dropout = 0;  // share of the tokens whose embedding is 0
    uint64_t seed = 0;        // of the dropout
    ProductPrecision precision = ProductPrecision::kF32;
    bool recompute = false;  // keep only what enters each layer, and compute the rest again in the backward pass
  };
  // `spec` (CheckTrainable) and `layout` outlive the decoder. `context`: the longest document piece.
  Decoder(const ModelSpec& spec, const ParameterLayout& layout, uint32_t context, const Options& options,
          ThreadPool& pool);

  // Packs weights for products; to be called again whenever they have changed. They stay where they are.
  void SetWeights(const float* weights);

  // Uses what `owner`, of the same model, has packed, for as long as it lives; to be called again whenever its weights
  // have changed.
  void ShareWeights(const Decoder& owner);

  // Sum of the losses of the slot's trained tokens, and in `gradient` (flat, of the layout's size) its gradient.
  // `step` and `slot` are numbers for the dropout alone.
  double LossAndGradient(const SlotBatch& batch, uint64_t step, uint32_t slot, float* gradient,
                         const GradientPart& finished, const GivenRows& given = {});
  // The same sum without dropout and gradient. `given`: as GivenRows::rows.
  double Loss(const SlotBatch& batch, const float* given = nullptr);
  // Logits after each token, [tokens, vocab], without dropout.
  std::vector<float> Logits(const SlotBatch& batch, const float* given = nullptr);

 private:
  // Of a step that is trained; without dropout otherwise.
  SlotRows TrainedRows(const SlotBatch& batch, uint64_t stream) const;
  static SlotRows RowsOf(const SlotBatch& batch);
  // Through all layers; residuals_[i] is what enters layer i, the last one what leaves the model.
  void Forward(const SlotBatch& batch, const float* given, const SlotRows& slot, bool keep);
  void Embed(const SlotBatch& batch, const float* given, const SlotRows& slot, float* x);
  // Spoils d_x, the gradient at what Embed made.
  void EmbeddingGradient(const SlotBatch& batch, float* d_x, float* d_given, float* gradient);
  // Makes the rows of tokens that are left out 0: of what is embedded, and of its gradient.
  void DropTokens(const SlotRows& slot, float* x) const;
  // Losses and, where `gradient` is given, d_x and the gradients of head and final norm.
  double Head(const SlotBatch& batch, float* d_x, float* gradient);
  LayerActivations& KeptBy(uint32_t layer) { return kept_[options_.recompute ? 0 : layer]; }
  SlotRows OfLayer(const SlotRows& slot, uint32_t layer) const;

  const ModelSpec& spec_;
  const Options options_;
  ThreadPool& pool_;
  const RopeTable rope_;
  const size_t embedding_;  // offsets
  const size_t output_norm_;
  const size_t head_;
  const size_t floats_;
  std::vector<DecoderLayer> layers_;
  const float* weights_ = nullptr;
  std::shared_ptr<ProductPanels> head_panels_;

  std::vector<FloatBuffer> residuals_;
  std::vector<LayerActivations> kept_;
  LayerScratch scratch_;
  FloatBuffer logits_;
  FloatBuffer d_x_;
  std::vector<double> losses_;
};

}  // namespace enigma::engine
