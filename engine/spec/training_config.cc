#include "engine/spec/training_config.h"

#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "engine/spec/lora_targets.h"

namespace enigma::engine {
namespace {

absl::Status WrongSetting(const char* field, double value, const char* rule) {
  return absl::InvalidArgumentError(absl::StrCat("training: ", field, " is ", value, ", and must be ", rule));
}

// Each field alone: name, value, and the range it must lie in.
struct Range {
  const char* field;
  double value;
  double least;
  double most;
  const char* rule;
};

absl::Status CheckRanges(const TrainingConfig& c) {
  constexpr double kAny = 1e15;
  const double sequences = c.sequences_per_step;
  const Range ranges[] = {
      {"steps", static_cast<double>(c.steps), 1, kAny, "1 or more"},
      {"context", double{1} * c.context, 8, 1 << 20, "from 8 to 1048576 tokens"},
      {"sequences_per_step", sequences, 1, 1 << 20, "from 1 to 1048576"},
      {"slots", double{1} * c.slots, 1, sequences, "from 1 to sequences_per_step"},
      {"learning_rate", c.learning_rate, 1e-12, 1, "above 0 and at most 1"},
      {"final_learning_rate", c.final_learning_rate, 0, 1, "a share from 0 to 1"},
      {"beta1", c.beta1, 0, 0.999999, "from 0 to below 1"},
      {"beta2", c.beta2, 0, 0.9999999, "from 0 to below 1"},
      {"epsilon", c.epsilon, 1e-20, 1, "above 0 and at most 1"},
      {"weight_decay", c.weight_decay, 0, 10, "from 0 to 10"},
      {"clip_norm", c.clip_norm, 0, kAny, "0 (no clipping) or more"},
      {"dropout", c.dropout, 0, 0.9, "from 0 to 0.9"},
      {"token_dropout", c.token_dropout, 0, 0.9, "from 0 to 0.9"},
      {"checkpoint_seconds", c.checkpoint_seconds, 0.1, kAny, "0.1 or more"},
      {"lora.rank", double{1} * c.lora.rank, 0, 1024, "from 0 (no LoRA) to 1024"},
  };
  for (const Range& r : ranges) {
    if (!(r.value >= r.least && r.value <= r.most))
      return WrongSetting(r.field, r.value, r.rule);  // not a number fails too
  }
  return absl::OkStatus();
}

absl::Status CheckPictures(const TrainingConfig& config) {
  const PictureTraining& pictures = config.pictures;
  if (!pictures.used()) return absl::OkStatus();
  ENIGMA_RETURN_IF_ERROR(CheckVisionSpec(pictures.encoder));
  if (config.lora.rank > 0) {
    return absl::InvalidArgumentError("training: with pictures the whole model is trained, not LoRA's factors");
  }
  if (pictures.encoder.output != config.spec.hidden || pictures.encoder.hidden % 16 != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("training: an image encoder ", pictures.encoder.hidden, " wide whose output has ",
                     pictures.encoder.output, " values does not fit a decoder of ", config.spec.hidden,
                     ": the output must be the decoder's width, and the encoder's width a multiple of 16"));
  }
  if (pictures.token >= config.spec.vocab) {
    return WrongSetting("pictures.token", pictures.token,
                        absl::StrCat("one of ", config.spec.vocab, " tokens").c_str());
  }
  if (pictures.encoder.prefix() >= config.context) {
    return WrongSetting("context", config.context,
                        absl::StrCat("more than the ", pictures.encoder.prefix(), " rows of a picture").c_str());
  }
  if (!(pictures.crop_side_min > 0 && pictures.crop_side_min <= 1)) {
    return WrongSetting("pictures.crop_side_min", pictures.crop_side_min, "above 0 and at most 1");
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckTrainingConfig(const TrainingConfig& config) {
  const ModelSpec& spec = config.spec;
  if (spec.layers.empty() || spec.hidden == 0 || spec.ffn == 0 || spec.vocab == 0 || spec.head_dim == 0 ||
      spec.kv_heads == 0 || spec.heads % spec.kv_heads != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("training: a model of ", spec.layer_count(), " layers, ", spec.hidden, " wide, ", spec.heads,
                     " heads over ", spec.kv_heads, ", feed-forward ", spec.ffn, " and ", spec.vocab,
                     " tokens cannot be trained: each must be above 0, and heads a multiple of key/value heads"));
  }
  if (absl::Status ranges = CheckRanges(config); !ranges.ok()) return ranges;
  if (config.context > spec.context) {
    return WrongSetting("context", config.context, absl::StrCat("at most the model's own ", spec.context).c_str());
  }
  ENIGMA_RETURN_IF_ERROR(CheckPictures(config));
  return CheckLora(config);
}

std::vector<std::string> TrainingWarnings(const TrainingConfig& config) {
  std::vector<std::string> warnings;
  if (config.learning_rate > 0.01) {
    warnings.push_back(absl::StrCat("a learning rate of ", config.learning_rate,
                                    " is high: above 0.01 training often diverges; 0.0003 to 0.003 is usual"));
  }
  if (config.steps > 0 && config.warmup_steps >= config.steps) {
    warnings.push_back(absl::StrCat("warm-up takes ", config.warmup_steps, " steps of ", config.steps,
                                    ": the learning rate never reaches ", config.learning_rate));
  }
  if (config.clip_norm == 0) warnings.push_back("gradients are not clipped: one bad batch can undo the training");
  return warnings;
}

}  // namespace enigma::engine
