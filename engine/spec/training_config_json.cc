// The configuration as JSON: the fields of TrainingConfig by their names; "spec" and "lora" are objects.

#include <algorithm>
#include <functional>

#include <absl/strings/str_cat.h>
#include <nlohmann/json.hpp>

#include "base/status_macros.h"
#include "base/text.h"
#include "engine/spec/training_config.h"

namespace enigma::engine {
namespace {

using Json = nlohmann::json;

constexpr uint64_t kFormat = 1;
// A program that knows nothing of token dropout must not take part in a job that has it: its gradients are others.
constexpr uint64_t kFormatOfTokenDropout = 2;
// Nor one that knows nothing of pictures in one that trains an image encoder.
constexpr uint64_t kFormatOfPictures = 3;
constexpr const char* kScheduleNames[] = {"cosine", "linear", "constant"};
constexpr const char* kPrecisionNames[] = {"f32", "bf16"};
constexpr const char* kScalingNames[] = {"none", "linear", "yarn", "llama3"};

Json RopeToJson(const RopeSpec& rope) {
  return {{"theta", rope.theta},
          {"dimensions", rope.dimensions},
          {"halves", rope.pairing == RopePairing::kHalves},
          {"scaling", kScalingNames[static_cast<size_t>(rope.scaling)]},
          {"factor", rope.factor},
          {"original_context", rope.original_context},
          {"frequency_factors", rope.frequency_factors}};
}

Json SpecToJson(const ModelSpec& spec) {
  Json windows = Json::array();
  for (const LayerSpec& layer : spec.layers) windows.push_back(layer.window);
  return {{"architecture", spec.architecture},
          {"name", spec.name},
          {"hidden", spec.hidden},
          {"ffn", spec.ffn},
          {"heads", spec.heads},
          {"kv_heads", spec.kv_heads},
          {"head_dim", spec.head_dim},
          {"vocab", spec.vocab},
          {"context", spec.context},
          {"norm_epsilon", spec.norm_epsilon},
          {"qkv_bias", spec.qkv_bias},
          {"qk_norm", spec.qk_norm},
          {"tied_embeddings", spec.tied_embeddings},
          {"rope", RopeToJson(spec.rope)},
          {"windows", std::move(windows)}};
}

// Takes members out of one object; what is missing, of another type or out of range is an error that names it.
class Members {
 public:
  Members(const Json& object, std::string where) : object_(object), where_(std::move(where)) {
    if (!object.is_object()) status_ = Wrong("", "must be an object");
  }

  template <class T>
  void Get(const char* name, T& out) {
    const Json* value = Find(name);
    if (value == nullptr) return;
    if constexpr (std::is_same_v<T, bool>) {
      if (!value->is_boolean()) return Fail(name, "must be true or false");
    } else if constexpr (std::is_integral_v<T>) {
      if (!value->is_number_unsigned() || value->get<uint64_t>() > std::numeric_limits<T>::max()) {
        return Fail(name, "must be a whole number, 0 or more, and not too large");
      }
    } else if constexpr (std::is_floating_point_v<T>) {
      if (!value->is_number()) return Fail(name, "must be a number");
    } else {
      if (!value->is_string()) return Fail(name, "must be a string");
    }
    out = value->get<T>();
  }

  template <class T>
  void List(const char* name, std::vector<T>& out) {
    const Json* value = Find(name);
    if (value == nullptr) return;
    if (!value->is_array()) return Fail(name, "must be a list");
    for (const Json& item : *value) {
      const bool fits = std::is_same_v<T, std::string> ? item.is_string()
                        : std::is_floating_point_v<T>  ? item.is_number()
                                                       : item.is_number_unsigned();
      if (!fits) return Fail(name, "holds an element of another type");
      out.push_back(item.get<T>());
    }
  }

  template <class Enum, size_t kCount>
  void Name(const char* name, const char* const (&names)[kCount], Enum& out) {
    std::string text;
    Get(name, text);
    if (!status_.ok()) return;
    for (size_t i = 0; i < kCount; ++i) {
      if (text == names[i]) {
        out = static_cast<Enum>(i);
        return;
      }
    }
    Fail(name, "is none of the known names");
  }

  const Json& Object(const char* name) {
    static const Json kNone = Json::object();
    const Json* value = Find(name);
    return value == nullptr ? kNone : *value;
  }

  const absl::Status& status() const { return status_; }

 private:
  absl::Status Wrong(const char* name, const char* why) const {
    return absl::InvalidArgumentError(absl::StrCat("training configuration: ", where_, name, ": ", why));
  }
  void Fail(const char* name, const char* why) {
    if (status_.ok()) status_ = Wrong(name, why);
  }
  const Json* Find(const char* name) {
    if (!status_.ok()) return nullptr;
    const auto it = object_.find(name);
    if (it != object_.end()) return &*it;
    Fail(name, "is missing");
    return nullptr;
  }

  const Json& object_;
  const std::string where_;
  absl::Status status_;
};

absl::Status RopeFromJson(const Json& json, RopeSpec& rope) {
  Members in(json, "spec.rope.");
  bool halves = false;
  in.Get("theta", rope.theta);
  in.Get("dimensions", rope.dimensions);
  in.Get("halves", halves);
  in.Name("scaling", kScalingNames, rope.scaling);
  in.Get("factor", rope.factor);
  in.Get("original_context", rope.original_context);
  in.List("frequency_factors", rope.frequency_factors);
  rope.pairing = halves ? RopePairing::kHalves : RopePairing::kAdjacent;
  return in.status();
}

absl::Status SpecFromJson(const Json& json, ModelSpec& spec) {
  Members in(json, "spec.");
  std::vector<uint32_t> windows;
  in.Get("architecture", spec.architecture);
  in.Get("name", spec.name);
  in.Get("hidden", spec.hidden);
  in.Get("ffn", spec.ffn);
  in.Get("heads", spec.heads);
  in.Get("kv_heads", spec.kv_heads);
  in.Get("head_dim", spec.head_dim);
  in.Get("vocab", spec.vocab);
  in.Get("context", spec.context);
  in.Get("norm_epsilon", spec.norm_epsilon);
  in.Get("qkv_bias", spec.qkv_bias);
  in.Get("qk_norm", spec.qk_norm);
  in.Get("tied_embeddings", spec.tied_embeddings);
  in.List("windows", windows);
  ENIGMA_RETURN_IF_ERROR(in.status());
  for (const uint32_t window : windows) {
    spec.layers.push_back(
        {.attention = window == 0 ? AttentionKind::kFull : AttentionKind::kWindowed, .window = window});
  }
  return RopeFromJson(in.Object("rope"), spec.rope);
}

uint64_t FormatOf(const TrainingConfig& config) {
  if (config.pictures.used()) return kFormatOfPictures;
  return config.token_dropout > 0 ? kFormatOfTokenDropout : kFormat;
}

Json PicturesToJson(const PictureTraining& pictures) {
  const VisionSpec& encoder = pictures.encoder;
  return {{"token", pictures.token},
          {"crop_side_min", pictures.crop_side_min},
          {"flip", pictures.flip},
          {"name", encoder.name},
          {"image_size", encoder.image_size},
          {"stem", encoder.stem},
          {"hidden", encoder.hidden},
          {"ffn", encoder.ffn},
          {"heads", encoder.heads},
          {"layers", encoder.layers},
          {"merge", encoder.merge},
          {"output", encoder.output},
          {"norm_epsilon", encoder.norm_epsilon},
          {"mean", encoder.mean},
          {"deviation", encoder.deviation}};
}

absl::Status PicturesFromJson(const Json& json, PictureTraining& pictures) {
  Members in(json, "pictures.");
  VisionSpec& encoder = pictures.encoder;
  std::vector<float> mean, deviation;
  in.Get("token", pictures.token);
  in.Get("crop_side_min", pictures.crop_side_min);
  in.Get("flip", pictures.flip);
  in.Get("name", encoder.name);
  in.Get("image_size", encoder.image_size);
  in.List("stem", encoder.stem);
  in.Get("hidden", encoder.hidden);
  in.Get("ffn", encoder.ffn);
  in.Get("heads", encoder.heads);
  in.Get("layers", encoder.layers);
  in.Get("merge", encoder.merge);
  in.Get("output", encoder.output);
  in.Get("norm_epsilon", encoder.norm_epsilon);
  in.List("mean", mean);
  in.List("deviation", deviation);
  ENIGMA_RETURN_IF_ERROR(in.status());
  if (mean.size() != 3 || deviation.size() != 3) {
    return absl::InvalidArgumentError("training configuration: pictures: mean and deviation hold three numbers each");
  }
  std::copy(mean.begin(), mean.end(), encoder.mean.begin());
  std::copy(deviation.begin(), deviation.end(), encoder.deviation.begin());
  return absl::OkStatus();
}

absl::Status LoraFromJson(const Json& json, LoraConfig& lora) {
  Members in(json, "lora.");
  in.Get("rank", lora.rank);
  in.Get("alpha", lora.alpha);
  in.List("targets", lora.targets);
  return in.status();
}

// The plain fields, once for both directions: `visit` is called with each name and field.
template <class Config, class Visit>
void VisitFields(Config& c, const Visit& visit) {
  visit("base_model", c.base_model);
  visit("steps", c.steps);
  visit("context", c.context);
  visit("sequences_per_step", c.sequences_per_step);
  visit("slots", c.slots);
  visit("seed", c.seed);
  visit("learning_rate", c.learning_rate);
  visit("final_learning_rate", c.final_learning_rate);
  visit("warmup_steps", c.warmup_steps);
  visit("beta1", c.beta1);
  visit("beta2", c.beta2);
  visit("epsilon", c.epsilon);
  visit("weight_decay", c.weight_decay);
  visit("clip_norm", c.clip_norm);
  visit("dropout", c.dropout);
  visit("validate_every", c.validate_every);
  visit("checkpoint_every", c.checkpoint_every);
  visit("checkpoint_seconds", c.checkpoint_seconds);
  visit("early_stop_validations", c.early_stop_validations);
  visit("recompute", c.recompute);
}

}  // namespace

std::string TrainingConfigToJson(const TrainingConfig& config) {
  Json json = {{"format", FormatOf(config)},
               {"spec", SpecToJson(config.spec)},
               {"lora", {{"rank", config.lora.rank}, {"alpha", config.lora.alpha}, {"targets", config.lora.targets}}},
               {"schedule", kScheduleNames[static_cast<size_t>(config.schedule)]},
               {"precision", kPrecisionNames[static_cast<size_t>(config.precision)]},
               {"token_dropout", config.token_dropout}};
  VisitFields(config, [&](const char* name, const auto& field) { json[name] = field; });
  if (config.pictures.used()) json["pictures"] = PicturesToJson(config.pictures);
  return json.dump();
}

absl::StatusOr<TrainingConfig> TrainingConfigFromJson(std::string_view text) {
  constexpr size_t kBytesMax = size_t{4} << 20;
  if (text.size() > kBytesMax) return absl::InvalidArgumentError("training configuration: longer than 4 MiB");
  const Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  Members in(json, "");
  TrainingConfig config;
  uint64_t format = 0;
  in.Get("format", format);
  ENIGMA_RETURN_IF_ERROR(in.status());
  if (format < kFormat || format > kFormatOfPictures) {
    return absl::InvalidArgumentError(absl::StrCat("training configuration: format ", format,
                                                   " is unknown; this program knows ", kFormat, " to ",
                                                   kFormatOfPictures));
  }
  in.Name("schedule", kScheduleNames, config.schedule);
  // Older configurations know none but f32, and leave no tokens out.
  if (json.contains("precision")) in.Name("precision", kPrecisionNames, config.precision);
  if (json.contains("token_dropout")) in.Get("token_dropout", config.token_dropout);
  VisitFields(config, [&](const char* name, auto& field) { in.Get(name, field); });
  ENIGMA_RETURN_IF_ERROR(in.status());
  ENIGMA_RETURN_IF_ERROR(SpecFromJson(in.Object("spec"), config.spec));
  if (json.contains("pictures")) ENIGMA_RETURN_IF_ERROR(PicturesFromJson(json["pictures"], config.pictures));
  ENIGMA_RETURN_IF_ERROR(LoraFromJson(in.Object("lora"), config.lora));
  return config;
}

}  // namespace enigma::engine
