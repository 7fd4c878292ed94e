#include "engine/training/lora_weights.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>

#include <absl/strings/str_cat.h>

#include "engine/spec/lora_targets.h"

namespace enigma::engine {

class LoraWeights::Gradient final : public SlotGradient {
 public:
  explicit Gradient(const LoraWeights& weights)
      : weights_(weights), model_(weights.model_.size()), trained_(weights.layout_.floats()) {
    std::fill_n(model_.data(), model_.size(), 0.0F);
    std::fill_n(trained_.data(), trained_.size(), 0.0F);
  }

  float* model() override { return model_.data(); }
  float* trained() override { return trained_.data(); }
  FloatRange Finish(size_t begin, size_t end) override;

 private:
  void Project(const Target& target);

  const LoraWeights& weights_;
  AlignedBuffer<float> model_;
  AlignedBuffer<float> trained_;
  GemmPanels panels_;
};

LoraWeights::LoraWeights(const TrainingConfig& config, const ParameterLayout& model, AlignedBuffer<float> base,
                         ThreadPool& pool)
    : layout_(ParameterLayout::OfJob(config)),
      rank_(config.lora.rank),
      scale_(config.lora.alpha / static_cast<float>(config.lora.rank)),
      pool_(pool),
      model_(std::move(base)),
      factors_(layout_.floats()) {
  std::fill_n(factors_.data(), factors_.size(), 0.0F);
  size_t kept = 0;
  size_t rows_most = 0;
  for (uint32_t layer = 0; layer < config.spec.layer_count(); ++layer) {
    for (const LoraTarget& target : LoraTargetsOf(config)) {
      const std::string name(absl::StrCat("blk.", layer, ".", target.name, ".weight"));
      targets_.push_back({.rows = target.rows,
                          .cols = target.cols,
                          .weight = model.Find(name)->offset,
                          .kept = kept,
                          .a = layout_.Find(name + kLoraA)->offset,
                          .b = layout_.Find(name + kLoraB)->offset,
                          .layer = layer});
      kept += target.rows * target.cols;
      rows_most = std::max<size_t>(rows_most, target.rows);
    }
  }
  kept_ = AlignedBuffer<float>(kept);
  scaled_ = AlignedBuffer<float>(rows_most * rank_);
  for (const Target& target : targets_) {
    std::memcpy(kept_.data() + target.kept, model_.data() + target.weight, target.rows * target.cols * sizeof(float));
  }
}

const float* LoraWeights::ModelWeights(const float* weights) {
  std::memcpy(factors_.data(), weights, layout_.floats() * sizeof(float));
  for (const Target& target : targets_) {
    Scale(weights + target.b, target.rows * rank_, scaled_.data());
    panels_.Set({weights + target.a, target.cols, 1}, rank_, target.cols, pool_);
    Gemm({scaled_.data(), rank_, 1}, target.rows, panels_, model_.data() + target.weight, target.cols,
         kept_.data() + target.kept, pool_);
  }
  return model_.data();
}

std::unique_ptr<SlotGradient> LoraWeights::MakeGradient() const { return std::make_unique<Gradient>(*this); }

FloatRange LoraWeights::Gradient::Finish(size_t begin, size_t end) {
  FloatRange range = {0, 0};
  for (size_t i = 0; i < weights_.targets_.size(); ++i) {
    const Target& target = weights_.targets_[i];
    if (target.weight < begin || target.weight >= end) continue;
    Project(target);
    if (range.second == 0) range.first = target.a;
    range.second = weights_.EndOf(i);
  }
  return range;
}

std::vector<FloatRange> LoraWeights::Ranges() const {
  std::vector<FloatRange> ranges;
  for (size_t i = targets_.size(); i-- > 0;) {
    const bool last = i + 1 == targets_.size() || targets_[i + 1].layer != targets_[i].layer;
    if (last) ranges.emplace_back(targets_[i].a, EndOf(i));
    ranges.back().first = targets_[i].a;
  }
  return ranges;
}

void LoraWeights::Gradient::Project(const Target& target) {
  const size_t rank = weights_.rank_;
  ThreadPool& pool = weights_.pool_;
  const float* g = model_.data() + target.weight;
  const float* a = weights_.factors_.data() + target.a;
  const float* b = weights_.factors_.data() + target.b;
  float* d_a = trained_.data() + target.a;
  float* d_b = trained_.data() + target.b;
  panels_.Set({a, 1, target.cols}, target.cols, rank, pool);
  Gemm({g, target.cols, 1}, target.rows, panels_, d_b, rank, nullptr, pool);
  panels_.Set({g, target.cols, 1}, target.rows, target.cols, pool);
  Gemm({b, 1, rank}, rank, panels_, d_a, target.cols, nullptr, pool);
  weights_.Scale(d_a, rank * target.cols, d_a);
  weights_.Scale(d_b, target.rows * rank, d_b);
}

void LoraWeights::Scale(const float* in, size_t count, float* out) const {
  for (size_t i = 0; i < count; ++i) out[i] = in[i] * scale_;
}

}  // namespace enigma::engine
