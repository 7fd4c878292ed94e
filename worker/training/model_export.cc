#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <system_error>
#include <utility>
#include <vector>

#include <absl/cleanup/cleanup.h>
#include <absl/strings/str_cat.h>

#include "base/clock.h"
#include "base/status_macros.h"
#include "engine/corpus/router_corpus.h"
#include "engine/spec/gguf.h"
#include "engine/training/export_adapter.h"
#include "engine/training/export_encoder.h"
#include "engine/training/export_model.h"
#include "telemetry/log.h"
#include "worker/training/compare_export.h"
#include "worker/training/job_files.h"
#include "worker/training/rank_world.h"
#include "worker/training/router_calibration.h"

namespace enigma::worker {
namespace {

constexpr engine::DType kStoredType = engine::DType::kF16;
using KindAndPath = std::pair<const char*, std::string>;  // kinds as proto/rank.proto has them
// For a coordinator that is away to come back, maybe at another address. Every attempt that reaches it reads the file.
constexpr absl::Duration kStorePatience = absl::Minutes(2);
constexpr absl::Duration kStorePause = absl::Milliseconds(500);

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

// What other programs read beside GGUF.
absl::Status AddHuggingFace(const engine::TrainedModel& model, uint64_t job, const std::string& folder,
                            std::vector<KindAndPath>& files) {
  const absl::StatusOr<engine::HuggingFaceExport> made = engine::ExportHuggingFace(model, folder);
  // A shape that the other format cannot say is no reason to have nothing.
  if (!made.ok() && !absl::IsUnimplemented(made.status())) return made.status();
  if (!made.ok()) LogWarn("job {}: no safetensors: {}", job, Describe(made.status()));
  constexpr std::pair<const char*, const char*> kFiles[] = {{"safetensors", "model.safetensors"},
                                                            {"config", "config.json"},
                                                            {"generation_config", "generation_config.json"},
                                                            {"tokenizer", "tokenizer.json"},
                                                            {"tokenizer_config", "tokenizer_config.json"}};
  std::error_code error;
  for (const auto& [kind, name] : kFiles) {
    const std::string path = absl::StrCat(folder, "/", name);
    if (std::filesystem::exists(path, error)) files.emplace_back(kind, path);
  }
  return absl::OkStatus();
}

absl::Status StoreOnce(const RankWorld& world, const v1::NodeAddress& coordinator,
                       const v1::StoreJobFileRequest::Head& head, const std::string& path, const StopSignal& stop) {
  ENIGMA_ASSIGN_OR_RETURN(const auto channel, world.channels.Connect(coordinator));
  return StoreJobFile(channel, head, path, stop);
}

// Again and again while the coordinator is not to be reached: what was trained is not lost because it starts anew.
absl::Status StorePatiently(const RankWorld& world, const std::function<v1::NodeAddress()>& coordinator,
                            const v1::StoreJobFileRequest::Head& head, const std::string& path,
                            const StopSignal& stop) {
  const Clock& clock = Clock::System();
  const absl::Duration begun = clock.Monotonic();
  bool told = false;
  while (true) {
    const absl::Status stored = StoreOnce(world, coordinator(), head, path, stop);
    if (!absl::IsUnavailable(stored) || clock.Monotonic() - begun >= kStorePatience) return stored;
    if (!std::exchange(told, true)) {
      LogWarn("job {}: {} is not stored yet: {}", head.job(), path, Describe(stored));
    }
    if (stop.notification().WaitForNotificationWithTimeout(kStorePause)) return stop.reason();
  }
}

absl::Status StoreAll(const RankWorld& world, uint64_t job, const std::function<v1::NodeAddress()>& coordinator,
                      const PreparedRank& rank, const std::vector<KindAndPath>& files, const StopSignal& stop) {
  for (const auto& [kind, path] : files) {
    v1::StoreJobFileRequest::Head head;
    head.set_job(job);
    head.set_kind(kind);
    head.set_step(rank.trainer->state().step);
    head.set_node_id(world.node_id);
    ENIGMA_RETURN_IF_ERROR(StorePatiently(world, coordinator, head, path, stop));
  }
  return absl::OkStatus();
}

// Where the decoder's weights begin: behind an image encoder's, where there is one.
const float* DecoderWeights(const engine::TrainingConfig& config, const PreparedRank& rank) {
  const engine::ParameterLayout whole = engine::ParameterLayout::OfModel(config);
  return rank.trainer->model_weights() + whole.Find("token_embd.weight")->offset;
}

// All files of the model, in `folder`, compared with what is served.
absl::StatusOr<ModelExport> WriteFiles(const engine::TrainingConfig& config, const PreparedRank& rank, uint64_t job,
                                       const std::string& folder, engine::ThreadPool& pool, const StopSignal& stop,
                                       std::vector<KindAndPath>& files) {
  ENIGMA_ASSIGN_OR_RETURN(const std::unique_ptr<engine::GgufFile> vocabulary,
                          engine::GgufFile::Open(rank.tokenizer_path));
  const engine::ParameterLayout layout(config.spec);
  ENIGMA_ASSIGN_OR_RETURN(std::optional<engine::RouterSpec> router, engine::RouterSpecFromGguf(vocabulary->metadata()));
  if (router) router->prompt_tokens = engine::RouterPromptTokens(config.context);
  const engine::TrainedModel model{.spec = config.spec,
                                   .layout = layout,
                                   .weights = DecoderWeights(config, rank),
                                   .tokenizer = vocabulary->metadata(),
                                   .router = router ? &*router : nullptr};
  const std::string gguf = folder + "/model.gguf";
  files.emplace_back("gguf", gguf);
  ENIGMA_RETURN_IF_ERROR(engine::ExportGguf(model, kStoredType, gguf).status());
  std::string encoder;
  if (config.pictures.used()) {
    encoder = folder + "/encoder.gguf";
    files.emplace_back("encoder", encoder);
    ENIGMA_RETURN_IF_ERROR(engine::ExportEncoderGguf(config.pictures.encoder, engine::ParameterLayout::OfModel(config),
                                                     rank.trainer->model_weights(), kStoredType, encoder)
                               .status());
  }
  if (stop.stopped()) return stop.reason();
  ModelExport made;
  ENIGMA_ASSIGN_OR_RETURN(made.largest_difference, CompareExport(gguf, encoder, config, rank, pool));
  if (router) {
    ENIGMA_ASSIGN_OR_RETURN(made.remark, Calibrate(model, gguf, *rank.slots, pool, stop, *router));
  }
  // A decoder without what it sees by is no model for other programs.
  if (encoder.empty()) ENIGMA_RETURN_IF_ERROR(AddHuggingFace(model, job, folder + "/hugging_face", files));
  if (config.lora.rank > 0) {
    files.emplace_back("adapter", folder + "/adapter.gguf");
    const float* factors = rank.trainer->state().weights.data();
    ENIGMA_RETURN_IF_ERROR(engine::ExportAdapter(config, factors, files.back().second).status());
  }
  return made;
}

}  // namespace

absl::StatusOr<ModelExport> ExportModel(const RankWorld& world, uint64_t job,
                                        const std::function<v1::NodeAddress()>& coordinator,
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
  std::vector<KindAndPath> files;
  ENIGMA_ASSIGN_OR_RETURN(ModelExport made, WriteFiles(config, rank, job, folder, pool, stop, files));
  ENIGMA_RETURN_IF_ERROR(StoreAll(world, job, coordinator, rank, files, stop));
  return made;
}

}  // namespace enigma::worker
