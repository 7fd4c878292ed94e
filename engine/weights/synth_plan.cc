#include "engine/weights/synth_plan.h"

#include <array>
#include <string>
#include <utility>

#include <absl/strings/str_cat.h>

namespace enigma::engine {
namespace {

constexpr std::array<SynthShape, 6> kShapes = {{
    // name, architecture, layers, hidden, heads, kv heads, head size, ffn, vocabulary, context, theta, tied
    {"tiny", "llama", 4, 256, 4, 2, 64, 512, 512, 512, 10000.0, false},
    {"tiny-qwen2", "qwen2", 4, 256, 4, 2, 64, 512, 512, 512, 1000000.0, true},
    {"tiny-qwen3", "qwen3", 4, 256, 4, 2, 128, 512, 512, 512, 1000000.0, false},
    {"27m", "llama", 8, 512, 8, 8, 64, 1376, 8192, 2048, 10000.0, true},
    {"tinyllama-1.1b", "llama", 22, 2048, 32, 4, 64, 5632, 32000, 2048, 10000.0, false},
    {"llama3-8b", "llama", 32, 4096, 32, 8, 128, 14336, 128256, 8192, 500000.0, false},
}};

// The layers whose attn_v and ffn_down the mix q4_k_m keeps in q6_k: the first and last eighth, and every third
// between.
bool KeptFiner(uint32_t layer, uint32_t layers) {
  const uint32_t eighth = layers / 8;
  return layer < eighth || layer >= 7 * layers / 8 || (layer - eighth) % 3 == 2;
}

}  // namespace

std::span<const SynthShape> SynthShapes() { return kShapes; }

GgufMetadata SynthMetadata(const SynthShape& shape, const WeightType& type) {
  GgufMetadata metadata;
  metadata.Set("general.architecture", std::string(shape.architecture));
  metadata.Set("general.name", absl::StrCat("synthetic ", shape.name, " ", type.name));
  metadata.Set("general.file_type", uint64_t{type.file_type});
  metadata.Set("general.quantization_version", uint64_t{2});
  const auto size = [&](const char* suffix, uint32_t value) {
    metadata.Set(absl::StrCat(shape.architecture, ".", suffix), uint64_t{value});
  };
  size("context_length", shape.context);
  size("embedding_length", shape.hidden);
  size("block_count", shape.layers);
  size("feed_forward_length", shape.ffn);
  size("vocab_size", shape.vocab);
  size("attention.head_count", shape.heads);
  size("attention.head_count_kv", shape.kv_heads);
  size("attention.key_length", shape.head_dim);
  size("attention.value_length", shape.head_dim);
  size("rope.dimension_count", shape.head_dim);
  metadata.Set(absl::StrCat(shape.architecture, ".attention.layer_norm_rms_epsilon"), 1e-5);
  metadata.Set(absl::StrCat(shape.architecture, ".rope.freq_base"), shape.rope_theta);
  return metadata;
}

std::vector<TensorPlan> SynthTensors(const SynthShape& shape, const WeightType& type) {
  const uint64_t hidden = shape.hidden;
  const uint64_t queries = uint64_t{shape.heads} * shape.head_dim;
  const uint64_t keys = uint64_t{shape.kv_heads} * shape.head_dim;
  const std::string_view architecture = shape.architecture;
  std::vector<TensorPlan> tensors;
  const auto matrix = [&](std::string name, uint64_t row, uint64_t rows, bool finer = false) {
    const DType wanted = type.mixed && finer ? DType::kQ6_K : type.type;
    tensors.push_back({std::move(name), FittingType(wanted, row), {row, rows}});
  };
  const auto vector = [&](std::string name, uint64_t count) {
    tensors.push_back({std::move(name), DType::kF32, {count}});
  };

  matrix("token_embd.weight", hidden, shape.vocab, shape.tied);
  for (uint32_t layer = 0; layer < shape.layers; ++layer) {
    const bool finer = KeptFiner(layer, shape.layers);
    const auto name = [&](const char* part) { return absl::StrCat("blk.", layer, ".", part); };
    vector(name("attn_norm.weight"), hidden);
    matrix(name("attn_q.weight"), hidden, queries);
    matrix(name("attn_k.weight"), hidden, keys);
    matrix(name("attn_v.weight"), hidden, keys, finer);
    if (architecture == "qwen2") {
      vector(name("attn_q.bias"), queries);
      vector(name("attn_k.bias"), keys);
      vector(name("attn_v.bias"), keys);
    }
    if (architecture == "qwen3") {
      vector(name("attn_q_norm.weight"), shape.head_dim);
      vector(name("attn_k_norm.weight"), shape.head_dim);
    }
    matrix(name("attn_output.weight"), queries, hidden);
    vector(name("ffn_norm.weight"), hidden);
    matrix(name("ffn_gate.weight"), hidden, shape.ffn);
    matrix(name("ffn_up.weight"), hidden, shape.ffn);
    matrix(name("ffn_down.weight"), shape.ffn, hidden, finer);
  }
  vector("output_norm.weight", hidden);
  if (!shape.tied) matrix("output.weight", hidden, shape.vocab, true);
  return tensors;
}

}  // namespace enigma::engine
