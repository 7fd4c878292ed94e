#include "engine/model/stage.h"

#include <algorithm>
#include <cmath>
#include <new>
#include <optional>
#include <utility>

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "engine/kernels/cpu_target.h"
#include "engine/kernels/rope.h"
#include "engine/kv_cache/kv_cache.h"
#include "engine/model/available_memory.h"
#include "engine/model/batch_checks.h"
#include "engine/model/embedding.h"
#include "engine/model/layer.h"
#include "engine/model/output_head.h"
#include "engine/model/tensor_loading.h"
#include "engine/model/workspace.h"

namespace enigma::engine {
namespace {

absl::StatusOr<Stage::Options> CompleteOptions(Stage::Options options, const ModelSpec& spec) {
  if (options.last_layer == 0) options.last_layer = spec.layer_count();
  if (options.context == 0) options.context = spec.context;
  if (options.first_layer >= options.last_layer || options.last_layer > spec.layer_count()) {
    return absl::InvalidArgumentError(absl::StrCat("stage: layers [", options.first_layer, ", ", options.last_layer,
                                                   ") are not a range of the model's ", spec.layer_count()));
  }
  if (options.context > spec.context) {
    return absl::InvalidArgumentError(absl::StrCat("stage: a context of ", options.context,
                                                   " tokens was asked for, the model was trained for ", spec.context));
  }
  if (options.kv_blocks == 0 || options.max_rows == 0 || options.max_logit_rows == 0) {
    return absl::InvalidArgumentError("stage: kv_blocks, max_rows and max_logit_rows must be at least 1");
  }
  const uint64_t held = uint64_t{options.kv_blocks} * kKvBlockTokens;
  options.context = static_cast<uint32_t>(std::min<uint64_t>(options.context, held));
  options.max_logit_rows = std::min(options.max_logit_rows, options.max_rows);
  return options;
}

StageMemory Estimate(const GgufFile& head, const ModelSpec& spec, const Stage::Options& options) {
  return EstimateStageMemory(head, spec,
                             {.first_layer = options.first_layer,
                              .last_layer = options.last_layer,
                              .kv_blocks = options.kv_blocks,
                              .context = options.context,
                              .kv_type = options.kv_type,
                              .max_rows = options.max_rows,
                              .max_logit_rows = options.max_logit_rows});
}

absl::Status CheckMemory(const StageMemory& memory) {
  const std::optional<uint64_t> available = AvailableMemoryBytes();
  if (!available || memory.total() <= *available) return absl::OkStatus();
  return absl::ResourceExhaustedError(absl::StrCat(
      "stage: needs ", memory.total(), " bytes (weights ", memory.weights, ", KV cache ", memory.kv, ", workspace ",
      memory.workspace, "), ", *available, " are available: take fewer layers, a smaller context or a smaller model"));
}

// The spec with what only the weights can say.
absl::StatusOr<ModelSpec> LoadSpec(const WeightSource& weights) {
  ENIGMA_ASSIGN_OR_RETURN(ModelSpec spec, ModelSpecFromGguf(weights.head()));
  if (weights.head().FindTensor(kRopeFactorsTensor) != nullptr) {
    const size_t pairs = spec.rope.dimensions / 2;
    ENIGMA_ASSIGN_OR_RETURN(const AlignedBuffer<float> factors, LoadVector(weights, kRopeFactorsTensor, pairs));
    spec.rope.frequency_factors.assign(factors.data(), factors.data() + pairs);
  }
  return spec;
}

class CpuStage final : public Stage {
 public:
  CpuStage(ModelSpec spec, const Options& options, KvCache kv_cache, ThreadPool& pool)
      : spec_(std::move(spec)),
        options_(options),
        pool_(pool),
        kv_cache_(std::move(kv_cache)),
        rope_(spec_.rope, options.context),
        workspace_(spec_, options.max_rows) {}

  absl::Status Load(const WeightSource& weights) {
    if (is_first()) {
      ENIGMA_ASSIGN_OR_RETURN(embedding_, Embedding::Load(weights, spec_));
    }
    layers_.reserve(options_.last_layer - options_.first_layer);
    for (uint32_t index = options_.first_layer; index < options_.last_layer; ++index) {
      ENIGMA_ASSIGN_OR_RETURN(Layer layer, Layer::Load(weights, spec_, index, pool_));
      layers_.push_back(std::move(layer));
    }
    if (is_last()) {
      ENIGMA_ASSIGN_OR_RETURN(head_, OutputHead::Load(weights, spec_, options_.max_logit_rows, pool_));
    }
    return absl::OkStatus();
  }

  absl::StatusOr<Output> Forward(const Batch& batch) override {
    ENIGMA_ASSIGN_OR_RETURN(const size_t rows, CheckBatch(batch, Limits()));
    if (is_first()) {
      embedding_->Lookup(batch.tokens, batch.given.data(), workspace_.x.data());
    } else {
      std::copy(batch.hidden.begin(), batch.hidden.end(), workspace_.x.data());
    }
    PlaceRuns(batch);
    for (size_t i = 0; i < layers_.size(); ++i) {
      const bool ends_model = is_last() && i + 1 == layers_.size();
      layers_[i].Forward(rows, kv_cache_.layer(static_cast<uint32_t>(i)), rope_, ends_model ? &kept_rows_ : nullptr,
                         workspace_, pool_);
    }
    if (!is_last())
      return Output{
          .hidden = {workspace_.x.data(), rows * spec_.hidden}, .logits = {}, .final_hidden = {}, .states = {}};
    return Results();
  }

  const ModelSpec& spec() const override { return spec_; }
  bool is_first() const override { return options_.first_layer == 0; }
  bool is_last() const override { return options_.last_layer == spec_.layer_count(); }
  uint32_t context() const override { return options_.context; }
  uint64_t weight_bytes() const override {
    uint64_t bytes = head_ ? head_->weight_bytes() : 0;
    for (const Layer& layer : layers_) bytes += layer.bytes();
    return bytes;
  }
  uint64_t kv_bytes() const override { return kv_cache_.bytes(); }
  uint64_t workspace_bytes() const override {
    const uint64_t rope = uint64_t{rope_.context()} * rope_.pairs() * 2 * sizeof(float);
    return workspace_.bytes() + rope + (head_ ? head_->workspace_bytes() : 0);
  }

 private:
  BatchLimits Limits() const {
    return {.first_stage = is_first(),
            .last_stage = is_last(),
            .hidden = spec_.hidden,
            .vocab = spec_.vocab,
            .context = options_.context,
            .kv_blocks = options_.kv_blocks,
            .max_rows = options_.max_rows,
            .max_logit_rows = options_.max_logit_rows};
  }

  void PlaceRuns(const Batch& batch) {
    workspace_.positions.clear();
    workspace_.runs.clear();
    kept_rows_.clear();
    logit_rows_.clear();
    state_rows_.clear();
    size_t row = 0;
    for (const SequenceRun& run : batch.runs) {
      workspace_.runs.push_back({.row = row, .first = run.first, .count = run.count, .blocks = run.blocks.data()});
      for (uint32_t i = 0; i < run.count; ++i) workspace_.positions.push_back(run.first + i);
      row += run.count;
      KeepRows(run, row);
    }
  }

  // What is read of a run that ends before `end`: the rows go on, and are numbered anew, among those of other runs.
  void KeepRows(const SequenceRun& run, size_t end) {
    const uint32_t kept = std::max<uint32_t>(run.states, run.logits ? 1 : 0);
    for (uint32_t left = kept; left > 0; --left) {
      if (left <= run.states) state_rows_.push_back(kept_rows_.size());
      if (left == 1 && run.logits) logit_rows_.push_back(kept_rows_.size());
      kept_rows_.push_back(end - left);
    }
  }

  absl::StatusOr<Output> Results() {
    if (kept_rows_.empty()) return Output{};
    const size_t width = spec_.hidden;
    float* const x = workspace_.x.data();
    head_->Norm(x, kept_rows_.size(), pool_);
    if (!std::all_of(x, x + kept_rows_.size() * width, [](float v) { return std::isfinite(v); })) {
      return absl::InternalError(absl::StrCat("stage: the hidden state after layer ", spec_.layer_count() - 1,
                                              " is not finite; the model's weights are damaged or out of f32's range"));
    }
    Output output;
    if (!logit_rows_.empty()) {
      head_->Forward(x, logit_rows_, workspace_.activations, pool_);
      output.logits = {head_->logits(), logit_rows_.size() * spec_.vocab};
      output.final_hidden = {head_->hidden(), logit_rows_.size() * width};
    }
    // They rise, so none is overwritten before it has moved.
    for (size_t i = 0; i < state_rows_.size(); ++i) {
      if (state_rows_[i] != i) std::copy_n(x + state_rows_[i] * width, width, x + i * width);
    }
    output.states = {x, state_rows_.size() * width};
    return output;
  }

  const ModelSpec spec_;  // layers point to it
  const Options options_;
  ThreadPool& pool_;
  KvCache kv_cache_;
  const RopeTable rope_;
  Workspace workspace_;
  std::optional<Embedding> embedding_;  // first stage
  std::vector<Layer> layers_;
  std::optional<OutputHead> head_;  // last stage
  // Of the step at hand.
  std::vector<size_t> kept_rows_;   // that anything reads after the last layer
  std::vector<size_t> logit_rows_;  // indices among them
  std::vector<size_t> state_rows_;  // likewise
};

}  // namespace

absl::StatusOr<std::unique_ptr<Stage>> Stage::Create(const WeightSource& weights, const Options& asked,
                                                     ThreadPool& pool) {
  ENIGMA_RETURN_IF_ERROR(CpuSupported());
  ENIGMA_ASSIGN_OR_RETURN(ModelSpec spec, LoadSpec(weights));
  ENIGMA_ASSIGN_OR_RETURN(const Options options, CompleteOptions(asked, spec));
  const StageMemory memory = Estimate(weights.head(), spec, options);
  ENIGMA_RETURN_IF_ERROR(CheckMemory(memory));
  const uint32_t layers = options.last_layer - options.first_layer;
  try {
    ENIGMA_ASSIGN_OR_RETURN(KvCache kv_cache, KvCache::Create({.layers = layers,
                                                               .kv_heads = spec.kv_heads,
                                                               .head_dim = spec.head_dim,
                                                               .blocks = options.kv_blocks,
                                                               .types = std::vector<KvType>(layers, options.kv_type)}));
    auto stage = std::make_unique<CpuStage>(std::move(spec), options, std::move(kv_cache), pool);
    ENIGMA_RETURN_IF_ERROR(stage->Load(weights));
    return stage;
  } catch (const std::bad_alloc&) {
    return absl::ResourceExhaustedError(
        absl::StrCat("stage: the system refused memory while loading; the stage needs ", memory.total(), " bytes"));
  }
}

}  // namespace enigma::engine
