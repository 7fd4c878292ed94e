#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "engine/spec/model_spec.h"
#include "engine/spec/product_precision.h"
#include "engine/spec/vision_spec.h"

namespace enigma::engine {

enum class LearningRateSchedule { kCosine, kLinear, kConstant };

// LoRA (Hu et al., 2021): the model's own tensors stay, and each target's product gets (alpha / rank) * B A x.
struct LoraConfig {
  uint32_t rank = 0;  // 0: all tensors are trained
  float alpha = 16.0F;
  std::vector<std::string> targets;  // "attn_q", "attn_v", ...: engine/spec/lora_targets.h
};

// Pictures that stand before texts, and the encoder that is trained with the decoder that reads them. Every document of
// the token set holds `token` as often as the encoder's prefix has rows, and belongs to the picture of its number.
struct PictureTraining {
  VisionSpec encoder;       // its output is the decoder's width; image_size 0: there are no pictures
  uint32_t token = 0;       // of the vocabulary
  float crop_side_min = 1;  // as AugmentationOptions has them (engine/image/augmentation.h)
  bool flip = false;

  bool used() const { return encoder.image_size > 0; }
};

// What a job is told: all that its result depends on, besides token set, tokenizer and base model. Plain data.
struct TrainingConfig {
  ModelSpec spec;          // the shape; architecture "llama" unless a base model says otherwise
  std::string base_model;  // registered model to start from; empty: from random weights
  LoraConfig lora;
  PictureTraining pictures;

  uint64_t steps = 0;
  uint32_t context = 256;            // tokens per sequence at most
  uint32_t sequences_per_step = 32;  // the global batch
  uint32_t slots = 16;               // it is cut into; at most sequences_per_step
  uint64_t seed = 1;

  double learning_rate = 1e-3;       // after warm-up
  double final_learning_rate = 0.1;  // share of it that is left at the last step (cosine, linear)
  uint64_t warmup_steps = 0;
  LearningRateSchedule schedule = LearningRateSchedule::kCosine;
  double beta1 = 0.9;
  double beta2 = 0.95;
  double epsilon = 1e-8;
  double weight_decay = 0.1;   // of matrices; norms and biases have none
  double clip_norm = 1.0;      // 0: no clipping
  double dropout = 0.0;        // of embeddings and of what layers add to the residual stream
  double token_dropout = 0.0;  // of whole tokens: the model sees nothing of them

  uint64_t validate_every = 0;          // steps; 0: only at the end
  uint64_t checkpoint_every = 0;        // steps; 0: by time
  double checkpoint_seconds = 60;       // between checkpoints, where checkpoint_every is 0
  uint32_t early_stop_validations = 0;  // without an improvement, ends the job; 0: never
  ProductPrecision precision = ProductPrecision::kF32;
  bool recompute = false;  // activations of layers in the backward pass: less memory, a third more work
};

// InvalidArgument names the field, its value and what it may be.
absl::Status CheckTrainingConfig(const TrainingConfig& config);
// What is allowed and seldom meant, one sentence each: a learning rate above 0.01, more warm-up than steps, ...
std::vector<std::string> TrainingWarnings(const TrainingConfig& config);

// JSON text form: what the coordinator stores and what travels to workers.
std::string TrainingConfigToJson(const TrainingConfig& config);
absl::StatusOr<TrainingConfig> TrainingConfigFromJson(std::string_view json);

}  // namespace enigma::engine
