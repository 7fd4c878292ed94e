#include "engine/spec/families/decoder_metadata.h"

#include <cmath>
#include <cstdint>
#include <string>
#include <utility>

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "base/text.h"

namespace enigma::engine {
namespace {

// Above every model known; keeps products of two sizes far from overflow.
constexpr uint64_t kSizeMax = uint64_t{1} << 24;

// Reads keys "<architecture>.<suffix>"; errors name the file.
class Keys {
 public:
  explicit Keys(const GgufFile& file, std::string architecture) : file_(file), architecture_(std::move(architecture)) {}

  bool Has(const char* suffix) const { return file_.metadata().Has(Key(suffix)); }

  absl::StatusOr<uint32_t> Size(const char* suffix, uint64_t least = 1) const {
    const auto value = file_.metadata().Uint(Key(suffix));
    if (!value.ok()) {
      const GgufValue* found = file_.metadata().Find(Key(suffix));
      if (found != nullptr && std::holds_alternative<std::unique_ptr<GgufArray>>(*found)) {
        return absl::UnimplementedError(absl::StrCat(file_.path(), ": ", Key(suffix),
                                                     " differs from layer to layer; only models whose layers are all "
                                                     "of one size are supported"));
      }
      return Named(value.status());
    }
    if (*value < least || *value > kSizeMax) {
      return Wrong(suffix, absl::StrCat(*value, " is outside [", least, ", ", kSizeMax, "]"));
    }
    return static_cast<uint32_t>(*value);
  }
  absl::StatusOr<uint32_t> SizeOr(const char* suffix, uint32_t fallback, uint64_t least = 1) const {
    return Has(suffix) ? Size(suffix, least) : fallback;
  }
  // A finite number above 0.
  absl::StatusOr<double> Positive(const char* suffix) const {
    const auto value = file_.metadata().Float(Key(suffix));
    if (!value.ok()) return Named(value.status());
    if (!std::isfinite(*value) || *value <= 0) return Wrong(suffix, absl::StrCat(*value, " is no positive number"));
    return *value;
  }
  absl::StatusOr<double> PositiveOr(const char* suffix, double fallback) const {
    return Has(suffix) ? Positive(suffix) : fallback;
  }
  absl::StatusOr<std::string> TextOr(const char* suffix, const char* fallback) const {
    if (!Has(suffix)) return std::string(fallback);
    const auto value = file_.metadata().String(Key(suffix));
    if (!value.ok()) return Named(value.status());
    return std::string(*value);
  }
  absl::Status Wrong(const char* suffix, std::string_view why) const {
    return absl::InvalidArgumentError(absl::StrCat(file_.path(), ": ", Key(suffix), ": ", ToAbsl(why)));
  }

 private:
  std::string Key(const char* suffix) const { return absl::StrCat(architecture_, ".", suffix); }
  absl::Status Named(const absl::Status& status) const {
    return {status.code(), absl::StrCat(file_.path(), ": ", status.message())};
  }

  const GgufFile& file_;
  const std::string architecture_;
};

absl::Status ReadHeads(const Keys& keys, ModelSpec& spec) {
  ENIGMA_ASSIGN_OR_RETURN(spec.heads, keys.Size("attention.head_count"));
  ENIGMA_ASSIGN_OR_RETURN(spec.kv_heads, keys.SizeOr("attention.head_count_kv", spec.heads));
  if (spec.heads % spec.kv_heads != 0) {
    return keys.Wrong("attention.head_count",
                      absl::StrCat(spec.heads, " query heads cannot share ", spec.kv_heads, " key/value heads evenly"));
  }
  if (!keys.Has("attention.key_length") && spec.hidden % spec.heads != 0) {
    return keys.Wrong("attention.head_count",
                      absl::StrCat("a width of ", spec.hidden, " cannot be cut into ", spec.heads, " heads evenly"));
  }
  ENIGMA_ASSIGN_OR_RETURN(spec.head_dim, keys.SizeOr("attention.key_length", spec.hidden / spec.heads));
  ENIGMA_ASSIGN_OR_RETURN(const uint32_t value_length, keys.SizeOr("attention.value_length", spec.head_dim));
  if (value_length != spec.head_dim) {
    return keys.Wrong("attention.value_length", absl::StrCat(value_length, " differs from the key length ",
                                                             spec.head_dim, "; only equal lengths are supported"));
  }
  return absl::OkStatus();
}

absl::Status ReadRopeScaling(const Keys& keys, ModelSpec& spec) {
  RopeSpec& rope = spec.rope;
  // Files older than rope.scaling.* hold a linear factor only; 0 means none.
  const char* factor_key = keys.Has("rope.scaling.factor") ? "rope.scaling.factor" : "rope.scale_linear";
  ENIGMA_ASSIGN_OR_RETURN(const std::string type, keys.TextOr("rope.scaling.type", "linear"));
  if (type == "none") return absl::OkStatus();
  ENIGMA_ASSIGN_OR_RETURN(rope.factor, keys.PositiveOr(factor_key, 1.0));
  ENIGMA_ASSIGN_OR_RETURN(rope.original_context, keys.SizeOr("rope.scaling.original_context_length", spec.context));
  if (type == "linear") {
    rope.scaling = rope.factor == 1.0 ? RopeScaling::kNone : RopeScaling::kLinear;
  } else if (type == "yarn") {
    rope.scaling = RopeScaling::kYarn;
  } else if (type == "llama3") {
    rope.scaling = RopeScaling::kLlama3;
  } else {
    return keys.Wrong("rope.scaling.type",
                      absl::StrCat("'", type, "' is not supported; none, linear, yarn and llama3 are"));
  }
  // Refinements of YaRN that only their usual values are supported of.
  static constexpr std::pair<const char*, double> kUsual[] = {
      {"rope.scaling.attn_factor", 1.0},     {"rope.scaling.yarn_attn_factor", 1.0},
      {"rope.scaling.yarn_ext_factor", 1.0}, {"rope.scaling.yarn_beta_fast", 32.0},
      {"rope.scaling.yarn_beta_slow", 1.0},
  };
  for (const auto& [key, usual] : kUsual) {
    ENIGMA_ASSIGN_OR_RETURN(const double value, keys.PositiveOr(key, usual));
    if (value != usual) return keys.Wrong(key, absl::StrCat(value, " is not supported; only ", usual, " is"));
  }
  return absl::OkStatus();
}

absl::Status ReadRope(const Keys& keys, ModelSpec& spec) {
  ENIGMA_ASSIGN_OR_RETURN(spec.rope.dimensions, keys.SizeOr("rope.dimension_count", spec.head_dim));
  if (spec.rope.dimensions % 2 != 0 || spec.rope.dimensions > spec.head_dim) {
    return keys.Wrong("rope.dimension_count", absl::StrCat(spec.rope.dimensions, " is not an even number up to the ",
                                                           spec.head_dim, " elements of a head"));
  }
  ENIGMA_ASSIGN_OR_RETURN(spec.rope.theta, keys.PositiveOr("rope.freq_base", 10000.0));
  return ReadRopeScaling(keys, spec);
}

absl::Status ReadVocabulary(const GgufFile& file, ModelSpec& spec) {
  const TensorInfo* embedding = file.FindTensor("token_embd.weight");
  if (embedding == nullptr) {
    return absl::NotFoundError(absl::StrCat(file.path(), ": tensor 'token_embd.weight' is missing",
                                            file.tensors().empty() ? " (the file holds a vocabulary only)" : ""));
  }
  const uint64_t rows = embedding->shape.size() > 1 ? embedding->shape[1] : 1;
  if (rows > kSizeMax) {
    return absl::InvalidArgumentError(absl::StrCat(file.path(), ": tensor 'token_embd.weight' has ", rows,
                                                   " rows; at most ", kSizeMax, " are supported"));
  }
  spec.vocab = static_cast<uint32_t>(rows);
  const auto tokens = file.metadata().Array("tokenizer.ggml.tokens");
  if (tokens.ok() && (*tokens)->strings.size() != spec.vocab) {
    return absl::InvalidArgumentError(absl::StrCat(file.path(), ": the vocabulary has ", (*tokens)->strings.size(),
                                                   " tokens, tensor 'token_embd.weight' has ", spec.vocab, " rows"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<ModelSpec> ReadDecoderMetadata(const GgufFile& file) {
  ModelSpec spec;
  spec.architecture = file.metadata().StringOr("general.architecture", "");
  spec.name = file.metadata().StringOr("general.name", "");
  const Keys keys(file, spec.architecture);

  ENIGMA_ASSIGN_OR_RETURN(const uint32_t experts, keys.SizeOr("expert_count", 0, 0));
  if (experts > 0) {
    return absl::UnimplementedError(
        absl::StrCat(file.path(), ": ", spec.architecture, ".expert_count is ", experts,
                     "; models with a mixture of experts are not supported, dense ones are"));
  }
  ENIGMA_ASSIGN_OR_RETURN(const uint32_t layers, keys.Size("block_count"));
  if (layers > file.tensors().size()) {
    return keys.Wrong("block_count",
                      absl::StrCat(layers, " layers, but the file has only ", file.tensors().size(), " tensors"));
  }
  spec.layers.resize(layers);
  ENIGMA_ASSIGN_OR_RETURN(spec.hidden, keys.Size("embedding_length"));
  ENIGMA_ASSIGN_OR_RETURN(spec.ffn, keys.Size("feed_forward_length"));
  ENIGMA_ASSIGN_OR_RETURN(spec.context, keys.Size("context_length"));
  ENIGMA_ASSIGN_OR_RETURN(const double epsilon, keys.Positive("attention.layer_norm_rms_epsilon"));
  spec.norm_epsilon = static_cast<float>(epsilon);
  ENIGMA_RETURN_IF_ERROR(ReadHeads(keys, spec));
  ENIGMA_RETURN_IF_ERROR(ReadRope(keys, spec));
  ENIGMA_RETURN_IF_ERROR(ReadVocabulary(file, spec));
  spec.tied_embeddings = file.FindTensor("output.weight") == nullptr;
  return spec;
}

absl::StatusOr<uint32_t> ReadSlidingWindow(const GgufFile& file, const ModelSpec& spec) {
  const Keys keys(file, spec.architecture);
  ENIGMA_ASSIGN_OR_RETURN(const uint32_t window, keys.SizeOr("attention.sliding_window", 0, 0));
  return window >= spec.context ? 0 : window;
}

}  // namespace enigma::engine
