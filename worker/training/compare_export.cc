#include "worker/training/compare_export.h"

#include <algorithm>
#include <memory>
#include <span>
#include <vector>

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "engine/text/given_row.h"
#include "engine/training/compare_with_serving.h"
#include "engine/training/decoder.h"
#include "engine/training/encoder.h"
#include "engine/training/picture_inputs.h"
#include "engine/vision/vision_encoder.h"
#include "engine/weights/weight_source.h"

namespace enigma::worker {
namespace {

// Of the largest logit: what the rounding of weights to f16 costs, with room; a tensor that is missing, turned or at
// another's place costs a hundred times as much.
constexpr double kTolerance = 0.01;
constexpr size_t kPromptMost = 64;

// The beginning of the first document that training saw.
engine::SlotBatch FirstPrompt(const engine::SlotLoader& slots) {
  const engine::SlotBatch slot = slots.Load(0, 0);
  const size_t count = std::min<size_t>(kPromptMost, slot.starts.size() > 1 ? slot.starts[1] : 0);
  engine::SlotBatch prompt;
  prompt.tokens.assign(slot.tokens.begin(), slot.tokens.begin() + static_cast<ptrdiff_t>(count));
  prompt.targets.assign(count, -1);
  for (uint32_t i = 0; i < count; ++i) prompt.positions.push_back(i);
  prompt.starts = {0, static_cast<uint32_t>(count)};
  if (!slot.pictures.empty()) prompt.pictures = {slot.pictures.front()};
  return prompt;
}

// What stands for the prompt's picture, as the trainer makes it and as it is served.
struct Prefixes {
  std::vector<float> trained;
  std::vector<float> served;
};

absl::StatusOr<Prefixes> EncodePicture(const std::string& path, const engine::SlotBatch& prompt,
                                       const engine::TrainingConfig& config, const PreparedRank& rank,
                                       engine::ThreadPool& pool) {
  const engine::VisionSpec& spec = config.pictures.encoder;
  const std::vector<float> input =
      engine::PictureInputs(*rank.slots->pictures(), config.pictures, prompt.pictures, pool);
  // In f32 as the decoder's.
  const engine::ParameterLayout layout = engine::ParameterLayout::OfModel(config);
  engine::Encoder encoder(spec, layout, engine::ProductPrecision::kF32, pool);
  encoder.SetWeights(rank.trainer->model_weights());
  const float* rows = encoder.Forward(input.data(), 1);
  // A prompt that is cut short may not have all of them.
  const auto places = static_cast<size_t>(std::count(prompt.tokens.begin(), prompt.tokens.end(), engine::kGivenRow));
  Prefixes prefixes;
  prefixes.trained.assign(rows, rows + places * spec.output);
  ENIGMA_ASSIGN_OR_RETURN(const auto weights, engine::OpenGgufWeights(path));
  ENIGMA_ASSIGN_OR_RETURN(const auto served, engine::VisionEncoder::Load(*weights, pool));
  ENIGMA_ASSIGN_OR_RETURN(prefixes.served, served->EncodeInput(input));
  if (prefixes.served.size() < prefixes.trained.size()) {
    return absl::DataLossError("the exported image encoder makes fewer rows than the trainer's");
  }
  prefixes.served.resize(prefixes.trained.size());
  return prefixes;
}

}  // namespace

absl::StatusOr<double> CompareExport(const std::string& decoder, const std::string& encoder,
                                     const engine::TrainingConfig& config, const PreparedRank& rank,
                                     engine::ThreadPool& pool) {
  const engine::SlotBatch prompt = FirstPrompt(*rank.slots);
  if (prompt.tokens.empty()) return absl::FailedPreconditionError("the first slot has no tokens to compare with");
  Prefixes prefixes;
  if (!encoder.empty()) {
    ENIGMA_ASSIGN_OR_RETURN(prefixes, EncodePicture(encoder, prompt, config, rank, pool));
  }
  // In f32, which is what is served, whatever the factors of training's products were rounded to.
  const engine::ParameterLayout layout = engine::ParameterLayout::OfModel(config);
  engine::Decoder trained(config.spec, layout, config.context, {.dropout = 0, .seed = 0, .recompute = true}, pool);
  trained.SetWeights(rank.trainer->model_weights());
  const std::vector<float> expected = trained.Logits(prompt, prefixes.trained.data());
  ENIGMA_ASSIGN_OR_RETURN(const engine::ServingComparison found,
                          engine::CompareWithServing(decoder, prompt.tokens, expected, pool, prefixes.served));
  if (found.Within(kTolerance)) return found.largest_difference;
  return absl::DataLossError(
      absl::StrCat("the exported model was refused: served, its logits differ from the trainer's by up to ",
                   found.largest_difference, " of ", found.largest_logit, ", at token ", found.position));
}

}  // namespace enigma::worker
