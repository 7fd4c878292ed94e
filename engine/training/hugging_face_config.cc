#include "engine/training/hugging_face_config.h"

#include <string>

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>

#include "base/status_macros.h"

namespace enigma::engine {
namespace {

using Json = nlohmann::ordered_json;

struct Family {
  const char* model_type;
  const char* model_class;
};

absl::StatusOr<Family> FamilyOf(const ModelSpec& spec) {
  // A llama whose layers see a window is what that library calls Mistral.
  const bool windowed = spec.layers[0].attention == AttentionKind::kWindowed;
  if (spec.architecture == "llama" && windowed) return Family{"mistral", "MistralForCausalLM"};
  if (spec.architecture == "llama") return Family{"llama", "LlamaForCausalLM"};
  if (spec.architecture == "qwen2") return Family{"qwen2", "Qwen2ForCausalLM"};
  if (spec.architecture == "qwen3") return Family{"qwen3", "Qwen3ForCausalLM"};
  return absl::UnimplementedError(absl::StrCat("architecture '", spec.architecture, "' has no Hugging Face export"));
}

absl::Status CheckDescribable(const ModelSpec& spec) {
  const auto refuse = [](const char* what) {
    return absl::UnimplementedError(absl::StrCat("a model with ", what, " has no Hugging Face export; GGUF has"));
  };
  if (spec.architecture == "llama" && spec.qkv_bias) return refuse("architecture llama and biases");
  if (spec.rope.dimensions != spec.head_dim) return refuse("rotation of only a part of each head");
  if (!spec.rope.frequency_factors.empty()) return refuse("divisors for each rotated pair");
  return absl::OkStatus();
}

Json RopeScalingOf(const RopeSpec& rope) {
  switch (rope.scaling) {
    case RopeScaling::kNone:
      return nullptr;
    case RopeScaling::kLinear:
      return {{"rope_type", "linear"}, {"factor", rope.factor}};
    case RopeScaling::kYarn:
      return {
          {"rope_type", "yarn"}, {"factor", rope.factor}, {"original_max_position_embeddings", rope.original_context}};
    case RopeScaling::kLlama3:
      return {{"rope_type", "llama3"},
              {"factor", rope.factor},
              {"low_freq_factor", 1.0},
              {"high_freq_factor", 4.0},
              {"original_max_position_embeddings", rope.original_context}};
  }
  return nullptr;
}

Json IdOrNull(const GgufMetadata& tokenizer, const char* key) {
  const auto id = tokenizer.Uint(key);
  return id.ok() ? Json(*id) : Json(nullptr);
}

}  // namespace

absl::StatusOr<Json> HuggingFaceConfig(const ModelSpec& spec, const GgufMetadata& tokenizer) {
  ENIGMA_ASSIGN_OR_RETURN(const Family family, FamilyOf(spec));
  ENIGMA_RETURN_IF_ERROR(CheckDescribable(spec));
  Json config = {{"architectures", {family.model_class}},
                 {"model_type", family.model_type},
                 {"vocab_size", spec.vocab},
                 {"hidden_size", spec.hidden},
                 {"intermediate_size", spec.ffn},
                 {"num_hidden_layers", spec.layer_count()},
                 {"num_attention_heads", spec.heads},
                 {"num_key_value_heads", spec.kv_heads},
                 {"head_dim", spec.head_dim},
                 {"hidden_act", "silu"},
                 {"max_position_embeddings", spec.context},
                 {"rms_norm_eps", double{spec.norm_epsilon}},
                 {"rope_theta", spec.rope.theta},
                 {"rope_scaling", RopeScalingOf(spec.rope)},
                 {"attention_bias", false},
                 {"attention_dropout", 0.0},
                 {"mlp_bias", false},
                 {"tie_word_embeddings", spec.tied_embeddings},
                 {"torch_dtype", "float32"},
                 {"bos_token_id", IdOrNull(tokenizer, "tokenizer.ggml.bos_token_id")},
                 {"eos_token_id", IdOrNull(tokenizer, "tokenizer.ggml.eos_token_id")},
                 {"pad_token_id", IdOrNull(tokenizer, "tokenizer.ggml.padding_token_id")}};
  if (spec.layers[0].attention == AttentionKind::kWindowed) config["sliding_window"] = spec.layers[0].window;
  return config;
}

Json HuggingFaceGenerationConfig(const GgufMetadata& tokenizer) {
  Json ends = Json::array();
  for (const char* key : {"tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id"}) {
    const Json id = IdOrNull(tokenizer, key);
    if (!id.is_null()) ends.push_back(id);
  }
  Json config = Json::object();
  const Json begin = IdOrNull(tokenizer, "tokenizer.ggml.bos_token_id");
  if (!begin.is_null()) config["bos_token_id"] = begin;
  if (!ends.empty()) config["eos_token_id"] = ends;
  return config;
}

}  // namespace enigma::engine
