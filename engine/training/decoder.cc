#include "engine/training/decoder.h"

#include <algorithm>
#include <cstring>

#include "base/counter_random.h"
#include "engine/kernels/check.h"
#include "engine/kernels/cross_entropy.h"
#include "engine/kernels/embedding_backward.h"
#include "engine/kernels/rms_norm.h"
#include "engine/kernels/rms_norm_backward.h"
#include "engine/kernels/swiglu.h"
#include "engine/text/given_row.h"

namespace enigma::engine {
namespace {

// Logits are made for a part of the rows at a time, so that a large vocabulary needs no memory for all of them.
constexpr size_t kLogitsMax = size_t{4} << 20;
// Which tokens are left out is drawn apart from which values are.
constexpr uint64_t kTokenStream = uint64_t{1} << 63;

size_t HeadOffset(const ParameterLayout& layout, const ModelSpec& spec) {
  return layout.Find(spec.tied_embeddings ? "token_embd.weight" : "output.weight")->offset;
}

}  // namespace

Decoder::Decoder(const ModelSpec& spec, const ParameterLayout& layout, uint32_t context, const Options& options,
                 ThreadPool& pool)
    : spec_(spec),
      options_(options),
      pool_(pool),
      rope_(spec.rope, context),
      embedding_(layout.Find("token_embd.weight")->offset),
      output_norm_(layout.Find("output_norm.weight")->offset),
      head_(HeadOffset(layout, spec)),
      floats_(layout.floats()),
      head_panels_(std::make_shared<ProductPanels>(options.precision)),
      residuals_(spec.layer_count() + 1),
      kept_(options.recompute ? 1 : spec.layer_count()),
      scratch_(options.precision) {
  layers_.reserve(spec.layer_count());
  for (uint32_t layer = 0; layer < spec.layer_count(); ++layer) {
    const LayerSight sight = {.rope = &rope_, .window = spec.layers[layer].window};
    layers_.emplace_back(spec_, OffsetsOf(layout, spec, layer), sight, options.precision, pool_);
  }
}

void Decoder::SetWeights(const float* weights) {
  weights_ = weights;
  for (DecoderLayer& layer : layers_) layer.SetWeights(weights);
  head_panels_->Set(weights + head_, spec_.vocab, spec_.hidden, pool_);
}

void Decoder::ShareWeights(const Decoder& owner) {
  weights_ = owner.weights_;
  for (size_t layer = 0; layer < layers_.size(); ++layer) layers_[layer].ShareWeights(owner.layers_[layer]);
  head_panels_ = owner.head_panels_;
}

SlotRows Decoder::RowsOf(const SlotBatch& batch) {
  return {.rows = batch.tokens.size(), .positions = batch.positions, .starts = batch.starts};
}

SlotRows Decoder::TrainedRows(const SlotBatch& batch, uint64_t stream) const {
  SlotRows rows = RowsOf(batch);
  rows.dropout = options_.dropout;
  rows.token_dropout = options_.token_dropout;
  rows.dropout_seed = options_.seed;
  rows.dropout_stream = stream;
  return rows;
}

// Two places in every layer, after the embedding's.
SlotRows Decoder::OfLayer(const SlotRows& slot, uint32_t layer) const {
  SlotRows rows = slot;
  rows.dropout_stream += 1 + uint64_t{2} * layer;
  return rows;
}

void Decoder::Embed(const SlotBatch& batch, const float* given, const SlotRows& slot, float* x) {
  const float* embedding = weights_ + embedding_;
  for (size_t t = 0; t < slot.rows; ++t) {
    const bool is_given = given != nullptr && batch.tokens[t] == kGivenRow;
    ENIGMA_KERNEL_CHECK(is_given || static_cast<uint32_t>(batch.tokens[t]) < spec_.vocab);
    const float* row = is_given ? given : embedding + static_cast<size_t>(batch.tokens[t]) * spec_.hidden;
    std::memcpy(x + t * spec_.hidden, row, spec_.hidden * sizeof(float));
    if (is_given) given += spec_.hidden;
  }
  DropTokens(slot, x);
  if (slot.dropout > 0) {
    Dropout(x, spec_.hidden, slot.rows, spec_.hidden, slot.dropout, {slot.dropout_seed, slot.dropout_stream}, 0, pool_);
  }
}

void Decoder::DropTokens(const SlotRows& slot, float* x) const {
  if (slot.token_dropout == 0) return;
  const uint64_t stream = kTokenStream | slot.dropout_stream;
  for (size_t t = 0; t < slot.rows; ++t) {
    if (CounterUniform(slot.dropout_seed, stream, t) < slot.token_dropout)
      std::fill_n(x + t * spec_.hidden, spec_.hidden, 0.0F);
  }
}

void Decoder::Forward(const SlotBatch& batch, const float* given, const SlotRows& slot, bool keep) {
  const size_t values = slot.rows * spec_.hidden;
  Embed(batch, given, slot, residuals_[0].Reserve(values));
  for (uint32_t layer = 0; layer < spec_.layer_count(); ++layer) {
    LayerActivations& kept = keep ? KeptBy(layer) : kept_[0];
    layers_[layer].Forward(OfLayer(slot, layer), residuals_[layer].data(), kept, scratch_,
                           residuals_[layer + 1].Reserve(values));
  }
}

double Decoder::Head(const SlotBatch& batch, float* d_x, float* gradient) {
  const size_t rows = batch.tokens.size();
  const size_t hidden = spec_.hidden;
  const size_t vocab = spec_.vocab;
  const float* x = residuals_.back().data();
  float* normed = scratch_.normed.Reserve(rows * hidden);
  RmsNorm(x, hidden, weights_ + output_norm_, spec_.norm_epsilon, rows, hidden, normed, hidden, pool_);

  // Of an even number of rows, so that where a gradient's chain of pairs is cut is no part of its bits.
  const size_t part = std::min(std::max<size_t>(kLogitsMax / vocab / 2 * 2, 2), rows);
  float* logits = logits_.Reserve(part * vocab);
  float* d_normed = gradient == nullptr ? nullptr : scratch_.d_normed.Reserve(rows * hidden);
  losses_.resize(rows);
  for (size_t first = 0; first < rows; first += part) {
    const size_t count = std::min(part, rows - first);
    const int32_t* targets = batch.targets.data() + first;
    Gemm({normed + first * hidden, hidden, 1}, count, head_panels_->forward, logits, vocab, nullptr, pool_);
    if (gradient == nullptr) {
      CrossEntropy(logits, vocab, count, vocab, targets, losses_.data() + first, pool_);
      continue;
    }
    CrossEntropyGradient(logits, vocab, count, vocab, targets, losses_.data() + first, pool_);
    scratch_.inputs.Set({normed + first * hidden, hidden, 1}, count, hidden, pool_);
    Gemm({logits, 1, vocab}, vocab, scratch_.inputs, gradient + head_, hidden, first > 0 ? gradient + head_ : nullptr,
         pool_);
    Gemm({logits, vocab, 1}, count, head_panels_->backward, d_normed + first * hidden, hidden, nullptr, pool_);
  }
  if (gradient != nullptr) {
    std::fill_n(gradient + output_norm_, hidden, 0.0F);
    RmsNormBackward(d_normed, hidden, x, hidden, weights_ + output_norm_, spec_.norm_epsilon, rows, hidden, d_x, hidden,
                    gradient + output_norm_, pool_);
  }
  double loss = 0;
  for (const double row : losses_) loss += row;
  return loss;
}

void Decoder::EmbeddingGradient(const SlotBatch& batch, float* d_x, float* d_given, float* gradient) {
  const size_t hidden = spec_.hidden;
  size_t tokens = 0;
  std::vector<int32_t> ids;
  ids.reserve(batch.tokens.size());
  // Rows of tokens move up to the places of those that were given.
  for (size_t t = 0; t < batch.tokens.size(); ++t) {
    const float* row = d_x + t * hidden;
    if (d_given != nullptr && batch.tokens[t] == kGivenRow) {
      std::memcpy(d_given, row, hidden * sizeof(float));
      d_given += hidden;
      continue;
    }
    if (tokens != t) std::memcpy(d_x + tokens * hidden, row, hidden * sizeof(float));
    ids.push_back(batch.tokens[t]);
    ++tokens;
  }
  EmbeddingBackward(d_x, hidden, ids.data(), tokens, hidden, spec_.vocab, gradient + embedding_, pool_);
}

double Decoder::LossAndGradient(const SlotBatch& batch, uint64_t step, uint32_t slot, float* gradient,
                                const GradientPart& finished, const GivenRows& given) {
  const uint64_t places = uint64_t{2} * spec_.layer_count() + 1;
  constexpr uint64_t kSlotsMax = uint64_t{1} << 20;
  const SlotRows rows = TrainedRows(batch, (step * kSlotsMax + slot) * places);
  const size_t values = rows.rows * spec_.hidden;
  Forward(batch, given.rows, rows, true);
  float* d_x = d_x_.Reserve(values);
  const double loss = Head(batch, d_x, gradient);
  finished(output_norm_, floats_);

  for (uint32_t layer = spec_.layer_count(); layer-- > 0;) {
    const float* x = residuals_[layer].data();
    const SlotRows of_layer = OfLayer(rows, layer);
    LayerActivations& kept = KeptBy(layer);
    if (options_.recompute && layer + 1 < spec_.layer_count()) {
      // What leaves the layer is not needed again: its place takes it.
      layers_[layer].Forward(of_layer, x, kept, scratch_, residuals_[layer + 1].data());
    }
    layers_[layer].Backward(of_layer, x, kept, scratch_, d_x, gradient);
    finished(layers_[layer].offsets().begin, layers_[layer].offsets().end);
  }

  if (rows.dropout > 0) {
    Dropout(d_x, spec_.hidden, rows.rows, spec_.hidden, rows.dropout, {rows.dropout_seed, rows.dropout_stream}, 0,
            pool_);
  }
  DropTokens(rows, d_x);
  const size_t embedding_end = layers_.front().offsets().begin;
  if (!spec_.tied_embeddings) std::fill(gradient + embedding_, gradient + embedding_end, 0.0F);
  EmbeddingGradient(batch, d_x, given.gradient, gradient);
  finished(embedding_, embedding_end);
  return loss;
}

double Decoder::Loss(const SlotBatch& batch, const float* given) {
  Forward(batch, given, RowsOf(batch), false);
  return Head(batch, nullptr, nullptr);
}

std::vector<float> Decoder::Logits(const SlotBatch& batch, const float* given) {
  Forward(batch, given, RowsOf(batch), false);
  const size_t rows = batch.tokens.size();
  float* normed = scratch_.normed.Reserve(rows * spec_.hidden);
  RmsNorm(residuals_.back().data(), spec_.hidden, weights_ + output_norm_, spec_.norm_epsilon, rows, spec_.hidden,
          normed, spec_.hidden, pool_);
  std::vector<float> logits(rows * spec_.vocab);
  Gemm({normed, spec_.hidden, 1}, rows, head_panels_->forward, logits.data(), spec_.vocab, nullptr, pool_);
  return logits;
}

}  // namespace enigma::engine
