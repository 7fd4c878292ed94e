#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "engine/spec/gguf.h"
#include "engine/training/export_model.h"
#include "engine/training/parameters.h"
#include "tests/unit/engine/text/small_vocabularies.h"

namespace enigma::engine::testing {

// Two layers with grouped heads, as the family has them, and a byte-level vocabulary.
inline ModelSpec SmallSpec(const std::string& architecture, bool tied = false) {
  ModelSpec spec;
  spec.architecture = architecture;
  spec.name = "small " + architecture;
  spec.hidden = 64;
  spec.ffn = 96;
  spec.heads = 4;
  spec.kv_heads = 2;
  spec.head_dim = architecture == "qwen3" ? 32 : 16;
  spec.vocab = kBpTokens;
  spec.context = 128;
  spec.norm_epsilon = 1e-6F;
  spec.qkv_bias = architecture == "qwen2";
  spec.qk_norm = architecture == "qwen3";
  spec.tied_embeddings = tied;
  spec.rope.theta = 50000;
  spec.rope.dimensions = spec.head_dim;
  spec.rope.pairing = architecture == "llama" ? RopePairing::kAdjacent : RopePairing::kHalves;
  spec.rope.original_context = spec.context;
  spec.layers.assign(2, LayerSpec{});
  return spec;
}

// Families, tied and not, and what a base model may bring along.
inline std::vector<ModelSpec> SmallSpecs() {
  std::vector<ModelSpec> specs;
  for (const char* architecture : {"llama", "qwen2", "qwen3"}) {
    for (const bool tied : {false, true}) specs.push_back(SmallSpec(architecture, tied));
  }
  specs.push_back(SmallSpec("llama"));
  specs.back().qkv_bias = true;
  for (LayerSpec& layer : specs.back().layers) layer = {AttentionKind::kWindowed, 7, FeedForwardKind::kSwiGlu};
  specs.push_back(SmallSpec("llama"));
  specs.back().rope.frequency_factors = {1, 1, 1.5, 2, 3, 4, 8, 8};
  specs.push_back(SmallSpec("qwen2"));
  specs.back().rope.scaling = RopeScaling::kYarn;
  specs.back().rope.factor = 4;
  specs.back().rope.original_context = 32;
  return specs;
}

// A model that has something to say: weights far from those at a job's start, norms and biases off their 1 and 0.
struct SmallModel {
  explicit SmallModel(ModelSpec s) : spec(std::move(s)), layout(spec), state(InitialState(spec, layout, 3)) {
    std::mt19937 generator(11);
    std::normal_distribution<float> normal(0, 0.15F);
    for (const Parameter& parameter : layout.parameters()) {
      for (size_t i = 0; i < parameter.count; ++i) state.weights[parameter.offset + i] += normal(generator);
    }
  }
  TrainedModel View() const { return {spec, layout, state.weights.data(), tokenizer}; }

  ModelSpec spec;
  ParameterLayout layout;
  TrainingState state;
  GgufMetadata tokenizer = BytePairVocabulary("gpt-2");
};

}  // namespace enigma::engine::testing
