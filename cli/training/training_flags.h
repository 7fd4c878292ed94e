#pragma once

#include <optional>
#include <string>
#include <vector>

#include <absl/status/statusor.h>

#include "cli/command/command.h"
#include "cli/training/tokenizer_choice.h"
#include "proto/training.pb.h"

namespace enigma::cli {

// The flags of `train` that say what is trained and how. What is not given is left to the coordinator.
class TrainingFlags {
 public:
  explicit TrainingFlags(Command& command);
  // `tokenizer`: what was asked for as one.
  absl::StatusOr<v1::TrainingOptions> Resolve(const TokenizerChoice& tokenizer) const;

 private:
  template <class T>
  struct Maybe {
    T value{};
    std::optional<Argument> argument;
    bool given() const { return argument->given(); }
  };
  void AddShape(Command& command);
  void AddSteps(Command& command);
  void AddOptimiser(Command& command);
  void AddCourse(Command& command);
  void AddTexts(Command& command);
  void AddPictures(Command& command);
  void ResolveSteps(v1::TrainingOptions& options) const;
  void ResolveOptimiser(v1::TrainingOptions& options) const;
  void ResolveCourse(v1::TrainingOptions& options) const;
  void ResolveTexts(v1::TrainingOptions& options) const;
  void ResolvePictures(v1::TrainingOptions& options) const;

  std::string name_;
  std::string task_;
  std::string size_;
  std::string base_;
  std::string format_;
  std::string collective_;
  Maybe<uint64_t> steps_;
  Maybe<double> epochs_;
  Maybe<uint32_t> context_;
  Maybe<uint32_t> batch_;
  Maybe<uint32_t> slots_;
  Maybe<uint64_t> seed_;
  Maybe<double> learning_rate_;
  Maybe<double> final_learning_rate_;
  Maybe<uint64_t> warmup_;
  Maybe<std::string> schedule_;
  Maybe<double> weight_decay_;
  Maybe<double> clip_;
  Maybe<double> dropout_;
  Maybe<double> token_dropout_;
  Maybe<std::string> precision_;
  Maybe<uint64_t> validate_every_;
  Maybe<uint64_t> checkpoint_every_;
  Maybe<double> checkpoint_seconds_;
  Maybe<uint32_t> image_size_;
  Maybe<double> crop_side_;
  bool flip_ = false;
  Maybe<uint32_t> early_stop_;
  Maybe<uint32_t> lora_rank_;
  Maybe<double> lora_alpha_;
  std::vector<std::string> lora_targets_;
  Maybe<uint32_t> vocab_size_;
  Maybe<double> validation_share_;
  Maybe<uint64_t> characters_min_;
  Maybe<uint64_t> characters_max_;
  Maybe<double> near_duplicate_share_;
  bool no_quality_filter_ = false;
  bool keep_duplicates_ = false;
  Maybe<uint32_t> ffn_;
  Maybe<uint32_t> keep_;
  uint32_t workers_ = 0;
  int priority_ = 0;
  bool recompute_ = false;
  bool train_on_prompts_ = false;
  bool answers_only_ = false;
  bool tied_ = false;
  bool untied_ = false;
};

}  // namespace enigma::cli
