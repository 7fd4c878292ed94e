#include "coordinator/jobs/job_options.h"

#include <algorithm>
#include <cmath>
#include <string>

#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "base/text.h"
#include "coordinator/state/model_registry.h"
#include "engine/spec/lora_targets.h"
#include "engine/spec/training_presets.h"
#include "engine/spec/vision_presets.h"
#include "engine/text/vocabulary.h"

namespace enigma::coordinator {
namespace {

constexpr uint64_t kWarmupMost = 200;         // steps, unless asked for
constexpr uint64_t kWarmupShare = 20;         // one step in so many
constexpr uint64_t kValidationsDefault = 20;  // over a job
constexpr uint32_t kTiedHiddenMax = 1024;     // wider models have a head of their own
constexpr uint32_t kTaskBytesMax = 64;
constexpr char kBytePairs[] = "bpe";
constexpr char kCharacters[] = "chars";

absl::Status Wrong(const char* option, const std::string& value, const std::string& rule) {
  return absl::InvalidArgumentError(absl::StrCat(option, ": '", value, "' ", rule));
}

absl::StatusOr<engine::LearningRateSchedule> ScheduleNamed(const std::string& name) {
  if (name == "cosine") return engine::LearningRateSchedule::kCosine;
  if (name == "linear") return engine::LearningRateSchedule::kLinear;
  if (name == "constant") return engine::LearningRateSchedule::kConstant;
  return Wrong("schedule", name, "is none; there are cosine, linear and constant");
}

absl::StatusOr<engine::ProductPrecision> PrecisionNamed(const std::string& name) {
  if (name == "f32") return engine::ProductPrecision::kF32;
  if (name == "bf16") return engine::ProductPrecision::kBf16;
  return Wrong("precision", name, "is none; there are f32 and bf16");
}

absl::Status CheckCounts(const enigma::v1::TrainingOptions& options) {
  if (options.has_steps() && options.has_epochs()) {
    return absl::InvalidArgumentError("steps and epochs: name one of them, the other follows from the data");
  }
  if (options.has_epochs() && !(options.epochs() > 0 && options.epochs() <= 1e6)) {
    return Wrong("epochs", absl::StrCat(options.epochs()), "must be above 0 and at most 1000000");
  }
  if (options.has_validation_share() && !(options.validation_share() >= 0 && options.validation_share() < 0.5)) {
    return Wrong("validation_share", absl::StrCat(options.validation_share()), "must be from 0 to below 0.5");
  }
  if (options.has_vocab_size() && (options.vocab_size() < 300 || options.vocab_size() > engine::kVocabularyMax)) {
    return Wrong("vocab_size", absl::StrCat(options.vocab_size()),
                 absl::StrCat("must be from 300 (the 256 bytes and the special tokens) to ", engine::kVocabularyMax));
  }
  const std::string& kind = options.tokenizer_kind();
  if (!kind.empty() && kind != kBytePairs && kind != kCharacters) {
    return Wrong("tokenizer_kind", kind, "is none; there are bpe and chars");
  }
  if (!kind.empty() && !options.base_model().empty()) {
    return absl::InvalidArgumentError("tokenizer_kind: the base model has a tokenizer of its own");
  }
  if (!options.collective().empty() && options.collective() != "streams" && options.collective() != "gloo") {
    return Wrong("collective", options.collective(), "is none; there are streams and gloo");
  }
  if (options.has_keep_checkpoints() && options.keep_checkpoints() == 0) {
    return Wrong("keep_checkpoints", "0", "must be 1 or more");
  }
  return absl::OkStatus();
}

absl::Status CheckShape(const enigma::v1::TrainingOptions& options) {
  if (options.base_model().empty() == options.size().empty()) {
    return absl::InvalidArgumentError(
        options.size().empty() ? "size: name one, such as nano, or a base model to start from"
                               : "size and base_model: a base model has a size of its own; name one of them");
  }
  if (!options.size().empty()) {
    if (const auto preset = engine::FindTrainingPreset(options.size()); !preset.ok()) {
      return absl::InvalidArgumentError(absl::StrCat("size: ", preset.status().message()));
    }
  }
  const bool shapes = options.has_tied() || options.has_ffn();
  if (shapes && !options.base_model().empty()) {
    return absl::InvalidArgumentError("tied, ffn: the base model says what its shape is");
  }
  if (options.base_model().empty() &&
      (options.has_lora_rank() || options.has_lora_alpha() || !options.lora_targets().empty())) {
    return absl::InvalidArgumentError("lora: it adapts a base model; name one");
  }
  if (options.lora_rank() == 0 && (options.has_lora_alpha() || !options.lora_targets().empty())) {
    return absl::InvalidArgumentError("lora_alpha, lora_targets: without a lora_rank all of the model is trained");
  }
  return engine::CheckLoraTargets({options.lora_targets().begin(), options.lora_targets().end()});
}

void SetFilters(const enigma::v1::TrainingOptions& options, engine::FilterOptions& filters) {
  if (options.has_characters_min()) filters.characters_min = options.characters_min();
  if (options.has_characters_max()) filters.characters_max = options.characters_max();
  if (options.has_quality_filter()) filters.quality = options.quality_filter();
  if (options.has_near_duplicate_share()) filters.near_duplicate_share = options.near_duplicate_share();
  if (options.keep_duplicates()) {
    filters.exact_duplicates = false;
    filters.near_duplicate_share = 0;
  }
}

absl::Status CheckFilters(const enigma::v1::TrainingOptions& options) {
  const bool given = options.has_characters_min() || options.has_characters_max() || options.has_quality_filter() ||
                     options.has_keep_duplicates() || options.has_near_duplicate_share();
  if (given && (IsVision(options) || IsRouter(options))) {
    return absl::InvalidArgumentError(
        "characters_min, characters_max, quality_filter, keep_duplicates, near_duplicate_share: captions of pictures "
        "and "
        "the texts of a router all stay");
  }
  if (options.keep_duplicates() && options.near_duplicate_share() > 0) {
    return absl::InvalidArgumentError("keep_duplicates, near_duplicate_share: name one of them");
  }
  engine::FilterOptions filters;
  SetFilters(options, filters);
  return engine::CheckFilterOptions(filters);
}

// What pictures need and texts have no use for, and the other way round.
absl::Status CheckPictures(const enigma::v1::TrainingOptions& options) {
  if (!IsVision(options)) {
    if (!options.has_image_size() && !options.has_flip() && !options.has_crop_side()) return absl::OkStatus();
    return absl::InvalidArgumentError(
        "image_size, flip, crop_side: they are of pictures, which task vision learns from");
  }
  if (!options.base_model().empty()) {
    return absl::InvalidArgumentError(
        "base_model: an image encoder and its decoder begin together, from random weights; name a size");
  }
  if (const auto preset = engine::FindVisionPreset(options.size()); !preset.ok()) {
    return absl::InvalidArgumentError(absl::StrCat("size: ", preset.status().message()));
  }
  if (const absl::Status size = engine::CheckImageSize(ImageSizeOf(options)); !size.ok()) {
    return absl::InvalidArgumentError(absl::StrCat("image_size: ", size.message()));
  }
  if (options.has_crop_side() && !(options.crop_side() > 0 && options.crop_side() <= 1)) {
    return Wrong("crop_side", absl::StrCat(options.crop_side()), "must be above 0 and at most 1");
  }
  if (!options.format().empty() || options.has_train_on_prompts()) {
    return absl::InvalidArgumentError("format, train_on_prompts: captions of pictures have one form, and no prompts");
  }
  return absl::OkStatus();
}

absl::Status SetPictures(const enigma::v1::TrainingOptions& options, engine::TrainingConfig& config) {
  ENIGMA_ASSIGN_OR_RETURN(const engine::VisionPreset preset, engine::FindVisionPreset(options.size()));
  config.pictures.encoder = engine::SpecOfVisionPreset(preset, ImageSizeOf(options), config.spec.hidden);
  config.pictures.encoder.name = options.model();
  config.pictures.flip = options.flip();
  if (options.has_crop_side()) config.pictures.crop_side_min = static_cast<float>(options.crop_side());
  return absl::OkStatus();
}

absl::StatusOr<engine::ModelSpec> ShapeOf(const enigma::v1::TrainingOptions& options, uint32_t vocabulary,
                                          const engine::ModelSpec* base, uint32_t* context) {
  if (base != nullptr) {
    *context = options.has_context() ? options.context() : std::min(base->context, *context);
    engine::ModelSpec spec = *base;
    spec.name = options.model();
    return spec;
  }
  ENIGMA_ASSIGN_OR_RETURN(engine::TrainingPreset preset, engine::FindTrainingPreset(options.size()));
  if (options.has_ffn()) preset.ffn = options.ffn();
  const uint32_t usual = IsVision(options) ? VisionDefaults::kContext : preset.context;
  *context = options.has_context() ? options.context() : usual;
  const bool tied = options.has_tied() ? options.tied() : preset.hidden <= kTiedHiddenMax;
  engine::ModelSpec spec = engine::SpecOfPreset(preset, vocabulary, *context, tied);
  spec.name = options.model();
  return spec;
}

void SetLora(const enigma::v1::TrainingOptions& options, engine::LoraConfig& lora) {
  if (options.has_lora_rank()) lora.rank = options.lora_rank();
  if (options.has_lora_alpha()) lora.alpha = static_cast<float>(options.lora_alpha());
  lora.targets.assign(options.lora_targets().begin(), options.lora_targets().end());
  if (lora.rank > 0 && lora.targets.empty()) lora.targets = {"attn_q", "attn_v"};
}

}  // namespace

absl::Status CheckJobOptions(const enigma::v1::TrainingOptions& options) {
  if (const absl::Status name = CheckModelName(options.model()); !name.ok()) {
    return absl::InvalidArgumentError(absl::StrCat("model: ", name.message()));
  }
  if (options.task().size() > kTaskBytesMax) {
    return Wrong("task", options.task(), absl::StrCat("is longer than ", kTaskBytesMax, " bytes"));
  }
  ENIGMA_RETURN_IF_ERROR(CheckCounts(options));
  ENIGMA_RETURN_IF_ERROR(CheckShape(options));
  ENIGMA_RETURN_IF_ERROR(CheckPictures(options));
  ENIGMA_RETURN_IF_ERROR(CheckFilters(options));
  if (options.has_schedule()) ENIGMA_RETURN_IF_ERROR(ScheduleNamed(options.schedule()).status());
  if (options.has_precision()) ENIGMA_RETURN_IF_ERROR(PrecisionNamed(options.precision()).status());
  if (!options.format().empty()) {
    if (const auto format = engine::ParseCorpusFormat(options.format()); !format.ok()) {
      return absl::InvalidArgumentError(absl::StrCat("format: ", format.status().message()));
    }
  }
  return absl::OkStatus();
}

bool IsGloo(const enigma::v1::TrainingOptions& options) { return options.collective() == "gloo"; }

bool IsRouter(const enigma::v1::TrainingOptions& options) { return options.task() == "router"; }

bool IsVision(const enigma::v1::TrainingOptions& options) { return options.task() == "vision"; }

uint32_t ImageSizeOf(const enigma::v1::TrainingOptions& options) {
  return options.has_image_size() ? options.image_size() : engine::kImageSizeDefault;
}

engine::TokenizerKind TokenizerKindOf(const enigma::v1::TrainingOptions& options) {
  return options.tokenizer_kind() == kCharacters ? engine::TokenizerKind::kCharacter : engine::TokenizerKind::kBytePair;
}

uint32_t VocabularyMaxOf(const enigma::v1::TrainingOptions& options) {
  if (options.has_vocab_size()) return options.vocab_size();
  if (TokenizerKindOf(options) == engine::TokenizerKind::kCharacter) return engine::kVocabularyMax;
  return IsRouter(options) ? RouterDefaults::kVocabulary : kVocabularyDefault;
}

absl::Status CheckTokenizerGiven(const enigma::v1::TrainingOptions& options) {
  if (!options.base_model().empty()) {
    return absl::InvalidArgumentError("tokenizer: the base model has its own, and cannot do with another one");
  }
  if (!options.tokenizer_kind().empty()) {
    return absl::InvalidArgumentError("tokenizer_kind: a tokenizer is given, and none is trained on the data");
  }
  return absl::OkStatus();
}

engine::CorpusOptions CorpusOptionsOf(const enigma::v1::TrainingOptions& options) {
  engine::CorpusOptions corpus;
  if (IsRouter(options)) {
    corpus.validation_share = RouterDefaults::kValidationShare;
    corpus.train_on_prompts = RouterDefaults::kTrainOnPrompts;
  }
  if (!options.format().empty()) {
    corpus.reader.format = engine::ParseCorpusFormat(options.format()).value_or(engine::CorpusFormat::kAuto);
  }
  if (options.has_validation_share()) corpus.validation_share = options.validation_share();
  if (options.has_train_on_prompts()) corpus.train_on_prompts = options.train_on_prompts();
  SetFilters(options, corpus.filters);
  return corpus;
}

uint32_t RanksMaxOf(const enigma::v1::TrainingOptions& options, const engine::TrainingConfig& config) {
  return options.workers_max() > 0 ? std::min(options.workers_max(), config.slots) : config.slots;
}

absl::StatusOr<engine::TrainingConfig> ResolveOptions(const enigma::v1::TrainingOptions& options, uint32_t vocabulary,
                                                      const engine::ModelSpec* base) {
  engine::TrainingConfig config;
  config.base_model = options.base_model();
  ENIGMA_ASSIGN_OR_RETURN(config.spec, ShapeOf(options, vocabulary, base, &config.context));
  SetLora(options, config.lora);
  if (const auto preset = engine::FindTrainingPreset(options.size()); preset.ok()) {
    config.learning_rate = preset->learning_rate;
  } else {
    config.learning_rate = config.lora.rank > 0 ? 1e-3 : 1e-4;  // what was learned is to stay
  }
  if (IsRouter(options)) {
    config.sequences_per_step = RouterDefaults::kSequencesPerStep;
    config.dropout = RouterDefaults::kDropout;
    config.token_dropout = RouterDefaults::kTokenDropout;
  }
  if (IsVision(options)) {
    ENIGMA_RETURN_IF_ERROR(SetPictures(options, config));
    config.sequences_per_step = VisionDefaults::kSequencesPerStep;
  }
  if (options.has_sequences_per_step()) config.sequences_per_step = options.sequences_per_step();
  config.slots = options.has_slots() ? options.slots() : std::min(config.slots, config.sequences_per_step);
  if (options.has_seed()) config.seed = options.seed();
  if (options.has_learning_rate()) config.learning_rate = options.learning_rate();
  if (options.has_final_learning_rate()) config.final_learning_rate = options.final_learning_rate();
  if (options.has_schedule()) {
    ENIGMA_ASSIGN_OR_RETURN(config.schedule, ScheduleNamed(options.schedule()));
  }
  if (options.has_weight_decay()) config.weight_decay = options.weight_decay();
  if (options.has_clip_norm()) config.clip_norm = options.clip_norm();
  if (options.has_dropout()) config.dropout = options.dropout();
  if (options.has_token_dropout()) config.token_dropout = options.token_dropout();
  if (options.has_checkpoint_every()) config.checkpoint_every = options.checkpoint_every();
  if (options.has_checkpoint_seconds()) config.checkpoint_seconds = options.checkpoint_seconds();
  if (options.has_early_stop_validations()) config.early_stop_validations = options.early_stop_validations();
  if (options.has_precision()) {
    ENIGMA_ASSIGN_OR_RETURN(config.precision, PrecisionNamed(options.precision()));
  }
  if (options.has_recompute()) config.recompute = options.recompute();
  return config;
}

void SetLength(const enigma::v1::TrainingOptions& options, uint64_t sequences, engine::TrainingConfig& config) {
  config.steps = options.steps();
  if (!options.has_steps() && sequences > 0) {
    const double usual = IsRouter(options)   ? RouterDefaults::kEpochs
                         : IsVision(options) ? VisionDefaults::kEpochs
                                             : kEpochsDefault;
    const double epochs = options.has_epochs() ? options.epochs() : usual;
    const double steps = std::ceil(epochs * static_cast<double>(sequences) / config.sequences_per_step);
    config.steps = static_cast<uint64_t>(std::clamp(steps, 1.0, 1e15));
  }
  const uint64_t share = IsRouter(options) ? RouterDefaults::kWarmupShare : kWarmupShare;
  const uint64_t usual = std::min(config.steps / share, kWarmupMost);
  config.warmup_steps = options.has_warmup_steps() ? options.warmup_steps() : usual;
  config.validate_every = options.has_validate_every() ? options.validate_every()
                                                       : std::max<uint64_t>(config.steps / kValidationsDefault, 1);
}

}  // namespace enigma::coordinator
