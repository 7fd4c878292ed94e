#pragma once

#include <cstdint>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "engine/corpus/prepare.h"
#include "engine/spec/model_spec.h"
#include "engine/spec/training_config.h"
#include "engine/text/tokenizer_trainer.h"
#include "proto/training.pb.h"

namespace enigma::coordinator {

// From what was asked for to what a job is told: defaults are filled in here and nowhere else. Pure functions.

inline constexpr uint32_t kVocabularyDefault = 4096;  // of a tokenizer that is trained on the data
inline constexpr double kEpochsDefault = 3;
// Of routers, whose data are short and few.
struct RouterDefaults {
  static constexpr uint32_t kVocabulary = 2048;
  static constexpr double kEpochs = 26;
  static constexpr uint32_t kSequencesPerStep = 8;
  static constexpr double kDropout = 0.1;
  static constexpr double kTokenDropout = 0.2;
  static constexpr double kValidationShare = 0.1;
  static constexpr bool kTrainOnPrompts = true;  // to write the texts teaches words, which are few per label
  static constexpr uint64_t kWarmupShare = 4;    // one step in so many: jobs are short
};
// Of jobs that train an image encoder: a sequence holds a few pictures, each with a sentence.
struct VisionDefaults {
  static constexpr uint32_t kContext = 128;
  static constexpr uint32_t kSequencesPerStep = 16;
  static constexpr double kEpochs = 10;
};
inline constexpr uint32_t kKeepCheckpointsDefault = 3;

// What can be known to be wrong before the data are there. INVALID_ARGUMENT names the option, its value and what it may
// be.
absl::Status CheckJobOptions(const enigma::v1::TrainingOptions& options);

// Of a tokenizer that is trained on the data: its kind, and how many tokens it may have. Characters alone are as many
// as there are, unless fewer are asked for.
engine::TokenizerKind TokenizerKindOf(const enigma::v1::TrainingOptions& options);
uint32_t VocabularyMaxOf(const enigma::v1::TrainingOptions& options);

// Of a job to which a tokenizer is given, as a file or a registered model: INVALID_ARGUMENT where the options leave no
// use for it.
absl::Status CheckTokenizerGiven(const enigma::v1::TrainingOptions& options);

// Whether sums are to go through Gloo.
bool IsGloo(const enigma::v1::TrainingOptions& options);

// Whether the model is to be a router, whose data are labelled texts (engine/corpus/labelled_texts.h).
bool IsRouter(const enigma::v1::TrainingOptions& options);

// Whether the model is to say what is seen in pictures: its data are captions (engine/corpus/captions.h), and an image
// encoder is trained with it.
bool IsVision(const enigma::v1::TrainingOptions& options);

// Pixels of a picture's side, of such a job.
uint32_t ImageSizeOf(const enigma::v1::TrainingOptions& options);

engine::CorpusOptions CorpusOptionsOf(const enigma::v1::TrainingOptions& options);

// Workers at most: one for each slot, or fewer where so few are asked for.
uint32_t RanksMaxOf(const enigma::v1::TrainingOptions& options, const engine::TrainingConfig& config);

// Everything but the length of the job and, with pictures, the token that holds their places. `base`: shape of the base
// model; null where the size says it.
absl::StatusOr<engine::TrainingConfig> ResolveOptions(const enigma::v1::TrainingOptions& options, uint32_t vocabulary,
                                                      const engine::ModelSpec* base);

// Steps, warm-up and how often to validate. `sequences`: of one pass over the data; 0: not known, then the steps are
// those that were asked for, or 0.
void SetLength(const enigma::v1::TrainingOptions& options, uint64_t sequences, engine::TrainingConfig& config);

}  // namespace enigma::coordinator
