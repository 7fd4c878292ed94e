#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <utility>
#include <vector>

#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "engine/checkpoint/safetensors.h"
#include "engine/corpus/slot_loader.h"
#include "engine/corpus/token_set.h"
#include "engine/spec/gguf.h"
#include "engine/text/tokenizer.h"
#include "engine/training/import_model.h"
#include "engine/training/state_file.h"
#include "engine/weights/weight_source.h"
#include "worker/capability/product_speed.h"
#include "worker/layer_cache/node_piece_source.h"
#include "worker/training/job_files.h"
#include "worker/training/rank_world.h"

namespace enigma::worker {
namespace {

engine::Sha256 HashOf(const v1::JobFile& file) {
  engine::Sha256 hash{};
  std::copy_n(file.sha256().begin(), std::min(hash.size(), file.sha256().size()), hash.begin());
  return hash;
}

// What one rank prepares from.
class Preparation {
 public:
  Preparation(const RankWorld& world, const v1::PrepareRank& order, const engine::TrainingConfig& config,
              engine::ThreadPool& pool, FetchProgress& progress, const StopSignal& stop)
      : world_(world),
        order_(order),
        config_(config),
        pool_(pool),
        progress_(progress),
        stop_(stop),
        layout_(engine::ParameterLayout::OfJob(config)) {}

  absl::StatusOr<PreparedRank> Run();

 private:
  absl::Status FetchFiles();
  absl::StatusOr<engine::TrainingState> MakeState(const engine::JobIdentity& identity);
  absl::StatusOr<engine::TrainingState> FromCheckpoint(const engine::JobIdentity& identity);
  // Fills state.weights, which are of that layout.
  absl::Status ImportBaseModel(const engine::ParameterLayout& model, engine::TrainingState& state);
  // What LoRA adapts; nothing where all of the model is trained.
  absl::StatusOr<engine::AlignedBuffer<float>> FrozenWeights();

  const RankWorld& world_;
  const v1::PrepareRank& order_;
  const engine::TrainingConfig& config_;
  engine::ThreadPool& pool_;
  FetchProgress& progress_;
  const StopSignal& stop_;
  const engine::ParameterLayout layout_;  // of the state
  std::unique_ptr<LayerCache> files_;
};

absl::Status Preparation::FetchFiles() {
  ENIGMA_ASSIGN_OR_RETURN(const auto coordinator, world_.channels.Connect(order_.coordinator()));
  for (const v1::JobFile* file : {&order_.token_set(), &order_.tokenizer(), &order_.picture_set(), &order_.state()}) {
    const bool is_optional = file == &order_.picture_set() || file == &order_.state();
    if (is_optional && file->name().empty()) continue;
    ENIGMA_RETURN_IF_ERROR(FetchJobFile(coordinator, order_.job(), *file, *files_, progress_, stop_));
  }
  return absl::OkStatus();
}

absl::StatusOr<PreparedRank> Preparation::Run() {
  ENIGMA_ASSIGN_OR_RETURN(files_, LayerCache::Create({.directory = world_.FolderOf(order_.job()), .free_bytes = {}}));
  ENIGMA_RETURN_IF_ERROR(FetchFiles());
  PreparedRank rank;
  ENIGMA_ASSIGN_OR_RETURN(const std::shared_ptr<const engine::TokenSet> tokens,
                          engine::TokenSet::Open(files_->PathOf(HashOf(order_.token_set()))));
  rank.tokenizer_path = files_->PathOf(HashOf(order_.tokenizer()));
  ENIGMA_ASSIGN_OR_RETURN(const std::unique_ptr<engine::GgufFile> vocabulary,
                          engine::GgufFile::Open(rank.tokenizer_path));
  ENIGMA_ASSIGN_OR_RETURN(const std::unique_ptr<engine::Tokenizer> tokenizer,
                          engine::Tokenizer::FromGguf(vocabulary->metadata()));
  ENIGMA_RETURN_IF_ERROR(tokens->CheckVocabulary(*tokenizer));
  if (tokens->vocabulary_size() > config_.spec.vocab) {
    return absl::InvalidArgumentError(absl::StrCat("the token set has ids of a vocabulary of ",
                                                   tokens->vocabulary_size(), " tokens, the model ",
                                                   config_.spec.vocab));
  }
  std::shared_ptr<const engine::PictureSet> pictures;
  if (config_.pictures.used()) {
    if (order_.picture_set().name().empty()) {
      return absl::InvalidArgumentError("the job learns from pictures, and the coordinator names no set of them");
    }
    ENIGMA_ASSIGN_OR_RETURN(pictures, engine::PictureSet::Open(files_->PathOf(HashOf(order_.picture_set()))));
  }
  ENIGMA_ASSIGN_OR_RETURN(engine::SlotLoader made,
                          engine::SlotLoader::Create(tokens, engine::SlotOptionsOf(config_), pictures));
  rank.slots = std::make_shared<const engine::SlotLoader>(std::move(made));
  rank.data_epoch = [slots = rank.slots](uint64_t step) { return slots->Epoch(step); };
  rank.identity = {
      .config = engine::Sha256Of(order_.config_json()), .token_set = tokens->hash(), .precision = config_.precision};
  // Learned from other pictures a state is worth nothing.
  if (pictures != nullptr) {
    rank.identity.config = engine::Sha256Of(order_.config_json() + engine::HexOf(pictures->hash()));
  }
  if (config_.lora.rank > 0) {
    // On another base model a state of LoRA's factors is worth nothing.
    ENIGMA_ASSIGN_OR_RETURN(const engine::Manifest base, engine::ManifestFromJson(order_.base_manifest_json()));
    rank.identity.config = engine::Sha256Of(order_.config_json() + engine::HexOf(base.id));
  }
  ENIGMA_ASSIGN_OR_RETURN(engine::TrainingState state, MakeState(rank.identity));
  ENIGMA_ASSIGN_OR_RETURN(engine::AlignedBuffer<float> frozen, FrozenWeights());
  if (stop_.stopped()) return stop_.reason();
  ENIGMA_ASSIGN_OR_RETURN(
      rank.trainer,
      engine::RankTrainer::Create(
          {.config = config_, .slots = rank.slots, .state = std::move(state), .base = std::move(frozen)}, pool_));
  rank.flops_per_second = MeasureProducts(config_.precision, pool_);
  return rank;
}

absl::StatusOr<engine::TrainingState> Preparation::MakeState(const engine::JobIdentity& identity) {
  if (!order_.state().name().empty()) return FromCheckpoint(identity);
  engine::TrainingState state = engine::InitialState(config_.spec, layout_, config_.seed);
  const bool from_base = !order_.base_manifest_json().empty() && config_.lora.rank == 0;
  if (from_base) ENIGMA_RETURN_IF_ERROR(ImportBaseModel(layout_, state));
  return state;
}

absl::StatusOr<engine::AlignedBuffer<float>> Preparation::FrozenWeights() {
  engine::TrainingState base;
  if (config_.lora.rank == 0) return std::move(base.weights);
  const engine::ParameterLayout model(config_.spec);
  base.weights = engine::AlignedBuffer<float>(model.floats());
  std::fill_n(base.weights.data(), model.floats(), 0.0F);  // the gaps between tensors
  ENIGMA_RETURN_IF_ERROR(ImportBaseModel(model, base));
  return std::move(base.weights);
}

absl::StatusOr<engine::TrainingState> Preparation::FromCheckpoint(const engine::JobIdentity& identity) {
  const std::string path = files_->PathOf(HashOf(order_.state()));
  ENIGMA_ASSIGN_OR_RETURN(const std::unique_ptr<engine::SafetensorsFile> file, engine::SafetensorsFile::Open(path));
  absl::StatusOr<engine::TrainingState> state = engine::ReadState(*file, layout_, identity);
  // There will be newer ones.
  ::unlink(path.c_str());
  return state;
}

absl::Status Preparation::ImportBaseModel(const engine::ParameterLayout& model, engine::TrainingState& state) {
  ENIGMA_ASSIGN_OR_RETURN(const engine::Manifest manifest, engine::ManifestFromJson(order_.base_manifest_json()));
  std::vector<const engine::Blob*> blobs;
  for (const engine::Blob& blob : manifest.blobs) blobs.push_back(&blob);
  std::vector<std::unique_ptr<PieceSource>> sources;
  for (const v1::NodeAddress& node : order_.sources()) {
    if (!node.node_id().empty() && node.node_id() == world_.node_id) continue;
    sources.push_back(std::make_unique<NodePieceSource>(world_.channels, node));
  }
  ENIGMA_RETURN_IF_ERROR(world_.fetcher.Fetch(blobs, sources, progress_));
  std::vector<std::string> paths;
  for (const engine::Blob* blob : blobs) paths.push_back(world_.pieces.PathOf(blob->hash));
  ENIGMA_ASSIGN_OR_RETURN(const std::unique_ptr<engine::WeightSource> weights,
                          engine::OpenBlobWeights(blobs, paths, manifest.file_bytes));
  ENIGMA_ASSIGN_OR_RETURN(const engine::ModelSpec base, engine::SpecOfModel(*weights));
  // Its weights mean nothing where positions are turned otherwise than they were learned.
  if (base.rope.frequency_factors != config_.spec.rope.frequency_factors) {
    return absl::FailedPreconditionError(
        absl::StrCat("tensor '", engine::kRopeFactorsTensor, "' of base model '", config_.base_model,
                     "' is not what the job's configuration says of it; submit the job anew"));
  }
  return engine::ImportWeights(*weights, model, state, pool_);
}

}  // namespace

absl::StatusOr<PreparedRank> PrepareRank(const RankWorld& world, const v1::PrepareRank& order,
                                         const engine::TrainingConfig& config, engine::ThreadPool& pool,
                                         FetchProgress& progress, const StopSignal& stop) {
  return Preparation(world, order, config, pool, progress, stop).Run();
}

}  // namespace enigma::worker
