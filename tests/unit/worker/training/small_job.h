#pragma once

#include <memory>
#include <string>

#include "engine/corpus/picture_set.h"
#include "engine/corpus/token_set.h"
#include "engine/spec/manifest.h"
#include "engine/spec/training_config.h"
#include "engine/training/parameters.h"
#include "proto/rank.pb.h"
#include "tests/unit/worker/training/small_job_files.h"

namespace enigma::worker {

// A job that real trainers do in a second: its vocabulary, its tokens, and what it comes to.
class SmallJob {
 public:
  // `folder` is for the vocabulary's file.
  explicit SmallJob(const std::string& folder);

  engine::TrainingConfig config;
  // Makes it a job of LoRA on a base model whose file goes to `folder`.
  void AdaptABaseModel(const std::string& folder);
  // Makes it a job of pictures of one colour, of which is said which one and how bright; `brightest` as they have it.
  void LearnFromPictures(uint8_t brightest = 220);
  // Puts the base model's pieces where a worker keeps those that it has fetched.
  void PlacePieces(const std::string& layers_dir) const;
  engine::AlignedBuffer<float> BaseWeights() const;
  // What a coordinator says, with the files in `files`; without a checkpoint.
  v1::PrepareRank Order(SmallJobFiles& files) const;
  // The state after so many steps, of one trainer alone.
  engine::TrainingState Expected(uint64_t steps) const;
  // What a checkpoint of this job holds.
  engine::TrainingState Read(const std::string& checkpoint) const;
  // Whether every bit of all tensors and numbers is the same.
  bool SameBits(const engine::TrainingState& a, const engine::TrainingState& b) const;

 private:
  std::string vocabulary_;  // GGUF
  std::string base_path_;
  engine::Manifest base_;
  std::shared_ptr<const engine::TokenSet> tokens_;
  std::shared_ptr<const engine::PictureSet> pictures_;  // null: it learns from texts
};

}  // namespace enigma::worker
