#include "engine/training/parameters.h"

#include <algorithm>
#include <cmath>
#include <span>

#include <absl/strings/str_cat.h>

#include "base/text.h"
#include "engine/spec/lora_targets.h"
#include "engine/weights/synth_noise.h"

namespace enigma::engine {
namespace {

// In floats: tensors begin at a cache line.
constexpr size_t kAlignment = 16;
// Of the fixed-point sums, before the first step has told more (docs/training.md).
constexpr int32_t kFirstExponent = 24;

bool EndsWith(std::string_view text, std::string_view end) { return text.ends_with(end); }

// `layers`: of the stack that the parameter is part of.
void FillInitial(const Parameter& parameter, size_t layers, uint64_t seed, uint32_t stream, float* out) {
  const std::string_view name = parameter.name;
  if (parameter.shape.size() == 1) {
    std::fill_n(out, parameter.count, EndsWith(name, ".bias") ? 0.0F : 1.0F);
    return;
  }
  if (EndsWith(name, kLoraB)) {
    std::fill_n(out, parameter.count, 0.0F);
    return;
  }
  FillNoise(seed, stream, 0, std::span(out, parameter.count));
  const bool is_rectified = name.starts_with("v.stem.");  // SiLU behind it halves the squares
  if (is_rectified || name.starts_with("v.patch_embd.") || name.starts_with("mm.")) {
    const double deviation = std::sqrt((is_rectified ? 2.0 : 1.0) / static_cast<double>(parameter.shape[0]));
    const auto factor = static_cast<float>(deviation / kSynthDeviation);
    for (size_t i = 0; i < parameter.count; ++i) out[i] *= factor;
  }
  if (EndsWith(name, "attn_output.weight") || EndsWith(name, "ffn_down.weight")) {
    const auto factor = static_cast<float>(1.0 / std::sqrt(2.0 * static_cast<double>(layers)));
    for (size_t i = 0; i < parameter.count; ++i) out[i] *= factor;
  }
}

}  // namespace

ParameterLayout::ParameterLayout(const ModelSpec& spec) { AddDecoder(spec); }

ParameterLayout ParameterLayout::WithEncoder(const VisionSpec& encoder, const ModelSpec& decoder) {
  ParameterLayout layout;
  for (const TensorPlan& tensor : VisionTensors(encoder)) layout.Add(tensor.name, tensor.shape);
  layout.AddDecoder(decoder);
  return layout;
}

void ParameterLayout::AddDecoder(const ModelSpec& spec) {
  const uint64_t hidden = spec.hidden;
  const uint64_t q = uint64_t{spec.heads} * spec.head_dim;
  const uint64_t kv = uint64_t{spec.kv_heads} * spec.head_dim;
  Add("token_embd.weight", {hidden, spec.vocab});
  for (uint32_t layer = 0; layer < spec.layer_count(); ++layer) {
    const auto add = [&](const char* suffix, std::vector<uint64_t> shape) {
      Add(absl::StrCat("blk.", layer, ".", suffix), std::move(shape));
    };
    add("attn_norm.weight", {hidden});
    // One product makes all three: they lie side by side.
    add("attn_q.weight", {hidden, q});
    add("attn_k.weight", {hidden, kv});
    add("attn_v.weight", {hidden, kv});
    if (spec.qkv_bias) {
      add("attn_q.bias", {q});
      add("attn_k.bias", {kv});
      add("attn_v.bias", {kv});
    }
    if (spec.qk_norm) {
      add("attn_q_norm.weight", {spec.head_dim});
      add("attn_k_norm.weight", {spec.head_dim});
    }
    add("attn_output.weight", {q, hidden});
    add("ffn_norm.weight", {hidden});
    add("ffn_gate.weight", {hidden, spec.ffn});
    add("ffn_up.weight", {hidden, spec.ffn});
    add("ffn_down.weight", {spec.ffn, hidden});
  }
  Add("output_norm.weight", {hidden});
  if (!spec.tied_embeddings) Add("output.weight", {hidden, spec.vocab});
}

ParameterLayout ParameterLayout::OfModel(const TrainingConfig& config) {
  return config.pictures.used() ? WithEncoder(config.pictures.encoder, config.spec) : ParameterLayout(config.spec);
}

ParameterLayout ParameterLayout::OfJob(const TrainingConfig& config) {
  if (config.lora.rank == 0) return OfModel(config);
  ParameterLayout layout;
  const uint64_t rank = config.lora.rank;
  for (uint32_t layer = 0; layer < config.spec.layer_count(); ++layer) {
    for (const LoraTarget& target : LoraTargetsOf(config)) {
      const std::string weight(absl::StrCat("blk.", layer, ".", target.name, ".weight"));
      layout.Add(weight + kLoraA, {target.cols, rank});
      layout.Add(weight + kLoraB, {rank, target.rows});
    }
  }
  return layout;
}

void ParameterLayout::Add(std::string name, std::vector<uint64_t> shape) {
  uint64_t count = 1;
  for (const uint64_t extent : shape) count *= extent;
  parameters_.push_back({.name = std::move(name),
                         .shape = shape,
                         .offset = floats_,
                         .count = static_cast<size_t>(count),
                         .decays = shape.size() > 1});
  floats_ += (static_cast<size_t>(count) + kAlignment - 1) / kAlignment * kAlignment;
}

const Parameter* ParameterLayout::Find(std::string_view name) const {
  for (const Parameter& parameter : parameters_) {
    if (parameter.name == name) return &parameter;
  }
  return nullptr;
}

uint64_t ParameterLayout::count() const {
  uint64_t count = 0;
  for (const Parameter& parameter : parameters_) count += parameter.count;
  return count;
}

TrainingState EmptyState(const ParameterLayout& layout) {
  TrainingState state;
  for (AlignedBuffer<float>* buffer : {&state.weights, &state.first_moments, &state.second_moments}) {
    *buffer = AlignedBuffer<float>(layout.floats());
    std::fill_n(buffer->data(), layout.floats(), 0.0F);
  }
  state.exponents.assign(layout.parameters().size(), kFirstExponent);
  return state;
}

TrainingState InitialState(const ModelSpec& spec, const ParameterLayout& layout, uint64_t seed) {
  TrainingState state = EmptyState(layout);
  const auto encoder_layers = static_cast<size_t>(
      std::count_if(layout.parameters().begin(), layout.parameters().end(), [](const Parameter& parameter) {
        return parameter.name.starts_with("v.blk.") && EndsWith(parameter.name, "ffn_down.weight");
      }));
  uint32_t stream = 0;
  for (const Parameter& parameter : layout.parameters()) {
    const size_t layers = parameter.name.starts_with("v.") ? encoder_layers : spec.layer_count();
    FillInitial(parameter, layers, seed, stream++, state.weights.data() + parameter.offset);
  }
  return state;
}

}  // namespace enigma::engine
