#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <absl/status/statusor.h>

#include "engine/spec/gguf.h"

namespace enigma::engine {

// The tensor of a file that holds RopeSpec's divisors.
inline constexpr char kRopeFactorsTensor[] = "rope_freqs.weight";

// How rotary positions are stretched beyond the trained context.
enum class RopeScaling { kNone, kLinear, kYarn, kLlama3 };
// Which elements of a head form a rotated pair: (2i, 2i+1) as Llama's GGUF stores them, or (i, i + n/2).
enum class RopePairing { kAdjacent, kHalves };

struct RopeSpec {
  double theta = 10000.0;
  uint32_t dimensions = 0;  // rotated elements of each head, from its start
  RopePairing pairing = RopePairing::kAdjacent;
  RopeScaling scaling = RopeScaling::kNone;
  double factor = 1.0;
  uint32_t original_context = 0;
  // Per pair divisors of the frequency (tensor rope_freqs.weight of Llama 3.1 files); empty when absent. A spec that
  // was made of metadata alone has none.
  std::vector<float> frequency_factors;
};

// What one layer is. Later families add kinds here, not switches in the engine.
enum class AttentionKind { kFull, kWindowed };
enum class FeedForwardKind { kSwiGlu };

struct LayerSpec {
  AttentionKind attention = AttentionKind::kFull;
  uint32_t window = 0;  // tokens that a windowed layer looks back on, itself included; 0 where full
  FeedForwardKind feed_forward = FeedForwardKind::kSwiGlu;
};

// A model's shape: everything but its weights. Plain data.
struct ModelSpec {
  std::string architecture;  // "llama", "qwen2", "qwen3"
  std::string name;
  uint32_t hidden = 0;
  uint32_t ffn = 0;
  uint32_t heads = 0;
  uint32_t kv_heads = 0;
  uint32_t head_dim = 0;
  uint32_t vocab = 0;
  uint32_t context = 0;  // trained context length in tokens
  float norm_epsilon = 1e-5F;
  bool qkv_bias = false;         // attn_{q,k,v}.bias exist
  bool qk_norm = false;          // attn_{q,k}_norm.weight exist, one vector of head_dim for all heads
  bool tied_embeddings = false;  // no output.weight: the head is token_embd.weight
  RopeSpec rope;
  std::vector<LayerSpec> layers;

  uint32_t layer_count() const { return static_cast<uint32_t>(layers.size()); }
};

// Reads the shape of a supported family (engine/spec/families/) from a file's metadata and tensor table, and checks
// that every tensor the family needs is there with the right shape. The error names what is missing or unsupported.
absl::StatusOr<ModelSpec> ModelSpecFromGguf(const GgufFile& file);
// The same of a file that was opened whole, with what only its tensors tell: RopeSpec::frequency_factors. These must be
// f32 here; Unimplemented names another type.
absl::StatusOr<ModelSpec> WholeSpecFromGguf(const GgufFile& file);

// Id of the arithmetic that a CPU stage of this project performs; docs/numerics.md defines it.
inline constexpr char kCpuContract[] = "cpu-v1";

}  // namespace enigma::engine
