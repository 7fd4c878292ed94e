#include <algorithm>
#include <filesystem>
#include <memory>
#include <optional>
#include <system_error>
#include <utility>
#include <vector>

#include <absl/cleanup/cleanup.h>
#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "engine/corpus/router_corpus.h"
#include "engine/spec/gguf.h"
#include "engine/training/compare_with_serving.h"
#include "engine/training/decoder.h"
#include "engine/training/export_adapter.h"
#include "engine/training/export_model.h"
#include "telemetry/log.h"
#include "worker/training/job_files.h"
#include "worker/training/rank_world.h"
#include "worker/training/router_calibration.h"

namespace enigma::worker {
namespace {

constexpr engine::DType kStoredType = engine::DType::kF16;
// Of the largest logit: what the rounding of weights to f16 costs, with room; a tensor that is missing, turned or at
// another's place costs a hundred times as much.
constexpr double kTolerance = 0.01;
constexpr size_t kPromptMost = 64;

// The beginning of the first document that training saw.
engine::SlotBatch Prompt(const engine::SlotLoader& slots) {
  const engine::SlotBatch slot = slots.Load(0, 0);
  const size_t count = std::min<size_t>(kPromptMost, slot.starts.size() > 1 ? slot.starts[1] : 0);
  engine::SlotBatch prompt;
  prompt.tokens.assign(slot.tokens.begin(), slot.tokens.begin() + static_cast<ptrdiff_t>(count));
  prompt.targets.assign(count, -1);
  for (uint32_t i = 0; i < count; ++i) prompt.positions.push_back(i);
  prompt.starts = {0, static_cast<uint32_t>(count)};
  return prompt;
}

absl::StatusOr<double> Compare(const std::string& path, const engine::TrainedModel& model,
                               const engine::TrainingConfig& config, const PreparedRank& rank,
                               engine::ThreadPool& pool) {
  const engine::SlotBatch prompt = Prompt(*rank.slots);
  if (prompt.tokens.empty()) return absl::FailedPreconditionError("the first slot has no tokens to compare with");
  // In f32, which is what is served, whatever the factors of training's products were rounded to.
  engine::Decoder decoder(model.spec, model.layout, config.context, {.dropout = 0, .seed = 0, .recompute = true}, pool);
  decoder.SetWeights(model.weights);
  const std::vector<float> expected = decoder.Logits(prompt);
  ENIGMA_ASSIGN_OR_RETURN(const engine::ServingComparison found,
                          engine::CompareWithServing(path, prompt.tokens, expected, pool));
  if (found.Within(kTolerance)) return found.largest_difference;
  return absl::DataLossError(
      absl::StrCat("the exported model was refused: served, its logits differ from the trainer's by up to ",
                   found.largest_difference, " of ", found.largest_logit, ", at token ", found.position));
}

// Writes the file once more, with what was found when it classified the texts held out.
absl::StatusOr<std::string> Calibrate(const engine::TrainedModel& model, const std::string& path,
                                      const engine::SlotLoader& slots, engine::ThreadPool& pool, const StopSignal& stop,
                                      engine::RouterSpec& router) {
  uint64_t texts = 0;
  ENIGMA_ASSIGN_OR_RETURN(const engine::LabelCalibration found, CalibrateRouter(path, slots, pool, stop, &texts));
  router.temperature = found.temperature;
  router.threshold = found.threshold;
  ENIGMA_RETURN_IF_ERROR(engine::ExportGguf(model, kStoredType, path).status());
  return RemarkOn(found, texts);
}

}  // namespace

absl::StatusOr<ModelExport> ExportModel(const RankWorld& world, uint64_t job, const v1::NodeAddress& coordinator,
                                        const engine::TrainingConfig& config, const PreparedRank& rank,
                                        engine::ThreadPool& pool, const StopSignal& stop) {
  const std::string folder = world.FolderOf(job) + "/export";
  std::error_code error;
  std::filesystem::remove_all(folder, error);
  std::filesystem::create_directories(folder, error);
  if (error) return absl::FailedPreconditionError(absl::StrCat("cannot make ", folder, ": ", error.message()));
  const absl::Cleanup remove = [&folder] {
    std::error_code ignored;
    std::filesystem::remove_all(folder, ignored);
  };
  ENIGMA_ASSIGN_OR_RETURN(const std::unique_ptr<engine::GgufFile> vocabulary,
                          engine::GgufFile::Open(rank.tokenizer_path));
  const engine::ParameterLayout layout(config.spec);
  ENIGMA_ASSIGN_OR_RETURN(std::optional<engine::RouterSpec> router, engine::RouterSpecFromGguf(vocabulary->metadata()));
  if (router) router->prompt_tokens = engine::RouterPromptTokens(config.context);
  const engine::TrainedModel model{.spec = config.spec,
                                   .layout = layout,
                                   .weights = rank.trainer->model_weights(),
                                   .tokenizer = vocabulary->metadata(),
                                   .router = router ? &*router : nullptr};
  const std::string gguf = folder + "/model.gguf";
  ENIGMA_RETURN_IF_ERROR(engine::ExportGguf(model, kStoredType, gguf).status());
  if (stop.stopped()) return stop.reason();
  ModelExport made;
  ENIGMA_ASSIGN_OR_RETURN(made.largest_difference, Compare(gguf, model, config, rank, pool));
  if (router) {
    ENIGMA_ASSIGN_OR_RETURN(made.remark, Calibrate(model, gguf, *rank.slots, pool, stop, *router));
  }

  std::vector<std::pair<const char*, std::string>> files = {{"gguf", gguf}};
  const std::string hugging_face = folder + "/hugging_face";
  const absl::StatusOr<engine::HuggingFaceExport> also = engine::ExportHuggingFace(model, hugging_face);
  // A shape that the other format cannot say is no reason to have nothing.
  if (!also.ok() && !absl::IsUnimplemented(also.status())) return also.status();
  if (!also.ok()) LogWarn("job {}: no safetensors: {}", job, Describe(also.status()));
  constexpr std::pair<const char*, const char*> kOthers[] = {{"safetensors", "model.safetensors"},
                                                             {"config", "config.json"},
                                                             {"generation_config", "generation_config.json"},
                                                             {"tokenizer", "tokenizer.json"},
                                                             {"tokenizer_config", "tokenizer_config.json"}};
  for (const auto& [kind, name] : kOthers) {
    const std::string path = absl::StrCat(hugging_face, "/", name);
    if (std::filesystem::exists(path, error)) files.emplace_back(kind, path);
  }
  if (config.lora.rank > 0) {
    files.emplace_back("adapter", folder + "/adapter.gguf");
    const float* factors = rank.trainer->state().weights.data();
    ENIGMA_RETURN_IF_ERROR(engine::ExportAdapter(config, factors, files.back().second).status());
  }
  ENIGMA_ASSIGN_OR_RETURN(const auto channel, world.channels.Connect(coordinator));
  for (const auto& [kind, path] : files) {
    v1::StoreJobFileRequest::Head head;
    head.set_job(job);
    head.set_kind(kind);
    head.set_step(rank.trainer->state().step);
    head.set_node_id(world.node_id);
    ENIGMA_RETURN_IF_ERROR(StoreJobFile(channel, std::move(head), path, stop));
  }
  return made;
}

}  // namespace enigma::worker
