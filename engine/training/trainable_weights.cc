#include "engine/training/trainable_weights.h"

#include <algorithm>

#include "engine/training/encoder.h"
#include "engine/training/layer_weights.h"
#include "engine/training/lora_weights.h"

namespace enigma::engine {
namespace {

class WholeGradient final : public SlotGradient {
 public:
  explicit WholeGradient(size_t floats) : gradient_(floats) { std::fill_n(gradient_.data(), floats, 0.0F); }

  float* model() override { return gradient_.data(); }
  float* trained() override { return gradient_.data(); }
  FloatRange Finish(size_t begin, size_t end) override { return {begin, end}; }

 private:
  AlignedBuffer<float> gradient_;
};

// All of the model.
class WholeModel final : public TrainableWeights {
 public:
  WholeModel(const TrainingConfig& config, const ParameterLayout& model) : layout_(model) {
    ranges_.emplace_back(model.Find("output_norm.weight")->offset, model.floats());
    AddLayers(config.spec, {});
    if (config.pictures.used()) {
      ranges_.emplace_back(model.Find("token_embd.weight")->offset, ranges_.back().first);
      ranges_.emplace_back(model.Find(kEncoderLayerNames.end)->offset, ranges_.back().first);
      AddLayers(EncoderLayers(config.pictures.encoder), kEncoderLayerNames);
    }
    ranges_.emplace_back(0, ranges_.back().first);
  }

  const ParameterLayout& layout() const override { return layout_; }
  const float* ModelWeights(const float* weights) override { return weights; }
  std::unique_ptr<SlotGradient> MakeGradient() const override {
    return std::make_unique<WholeGradient>(layout_.floats());
  }
  std::vector<FloatRange> Ranges() const override { return ranges_; }

 private:
  void AddLayers(const ModelSpec& spec, const LayerNames& names) {
    for (uint32_t layer = spec.layer_count(); layer-- > 0;) {
      const LayerOffsets offsets = OffsetsOf(layout_, spec, layer, names);
      ranges_.emplace_back(offsets.begin, offsets.end);
    }
  }

  const ParameterLayout& layout_;
  std::vector<FloatRange> ranges_;
};

}  // namespace

std::unique_ptr<TrainableWeights> MakeTrainableWeights(const TrainingConfig& config, const ParameterLayout& model,
                                                       AlignedBuffer<float> base, ThreadPool& pool) {
  if (config.lora.rank == 0) return std::make_unique<WholeModel>(config, model);
  return std::make_unique<LoraWeights>(config, model, std::move(base), pool);
}

}  // namespace enigma::engine
