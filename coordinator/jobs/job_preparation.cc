#include "coordinator/jobs/job_preparation.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

#include <absl/strings/str_cat.h>
#include <absl/time/time.h>

#include "base/status_macros.h"
#include "base/text.h"
#include "coordinator/jobs/job_options.h"
#include "coordinator/jobs/job_tokenizer.h"
#include "coordinator/jobs/mapped_text.h"
#include "coordinator/jobs/picture_corpus.h"
#include "coordinator/jobs/router_vocabulary.h"
#include "coordinator/jobs/training_power.h"
#include "engine/corpus/router_corpus.h"
#include "engine/corpus/slot_loader.h"
#include "engine/spec/manifest.h"
#include "engine/spec/training_memory.h"
#include "engine/spec/training_presets.h"
#include "engine/spec/vision_presets.h"
#include "engine/text/tokenizer_file.h"

namespace enigma::coordinator {
namespace {

class Preparation {
 public:
  Preparation(ControlPlane& plane, const JobFolders& folders, uint64_t id, const JobMaterial& material,
              const PreparationReport& report)
      : plane_(plane), folders_(folders), id_(id), material_(material), options_(material.options), report_(report) {}

  absl::StatusOr<Job> Run() {
    ENIGMA_RETURN_IF_ERROR(CheckJobOptions(options_));
    if (!options_.base_model().empty()) {
      ENIGMA_ASSIGN_OR_RETURN(base_, ShapeOfModel(plane_, options_.base_model()));
    }
    ENIGMA_RETURN_IF_ERROR(MapFiles());
    if (IsVision(options_)) {
      ENIGMA_ASSIGN_OR_RETURN(captioned_, ReadPictureCorpus(files_, material_.pictures.get()));
      ENIGMA_RETURN_IF_ERROR(CheckRoomForPictures(
          captioned_, ImageSizeOf(options_), {.folder = folders_.PathOf(id_), .left_min = material_.disk_left_min}));
    }
    if (IsRouter(options_)) {
      ENIGMA_ASSIGN_OR_RETURN(labelled_, engine::ReadLabelledCorpus(files_, CorpusOptionsOf(options_).reader));
    }
    ENIGMA_RETURN_IF_ERROR(MakeTokenizer());
    ENIGMA_RETURN_IF_ERROR(MakeTokens());
    ENIGMA_RETURN_IF_ERROR(MakeConfig());
    return MakeJob();
  }

 private:
  absl::Status MapFiles() {
    if (material_.data.empty()) return absl::InvalidArgumentError("data: no file was given to learn from");
    for (const UploadedFile& file : material_.data) {
      ENIGMA_ASSIGN_OR_RETURN(std::unique_ptr<MappedText> mapped, MappedText::Open(file.path));
      files_.push_back({file.name, mapped->bytes()});
      mapped_.push_back(std::move(mapped));
    }
    return absl::OkStatus();
  }

  absl::Status MakeTokenizer() {
    const std::string path = folders_.TokenizerPath(id_);
    const std::string& model = base_ ? options_.base_model() : material_.tokenizer_model;
    if (!material_.tokenizer_path.empty() || !material_.tokenizer_model.empty()) {
      ENIGMA_RETURN_IF_ERROR(CheckTokenizerGiven(options_));
    }
    if (!material_.tokenizer_path.empty()) {
      ENIGMA_ASSIGN_OR_RETURN(const auto file, engine::GgufFile::Open(material_.tokenizer_path));
      ENIGMA_RETURN_IF_ERROR(TakeTokenizer(file->metadata(), path));
    } else if (!model.empty()) {
      ENIGMA_ASSIGN_OR_RETURN(const ModelPtr registered, plane_.models.Find(model));
      ENIGMA_ASSIGN_OR_RETURN(const GgufPtr file, plane_.files.Open(*registered));
      ENIGMA_RETURN_IF_ERROR(TakeTokenizer(file->metadata(), path));
    } else {
      ENIGMA_RETURN_IF_ERROR(MakeNewTokenizer(path));
    }
    ENIGMA_ASSIGN_OR_RETURN(tokenizer_, OpenJobTokenizer(path));
    return absl::OkStatus();
  }

  absl::Status TakeTokenizer(const engine::GgufMetadata& from, const std::string& path) {
    return IsRouter(options_) ? CopyRouterVocabulary(from, labelled_.labels, options_.model(), path)
                              : CopyTokenizer(from, options_.model(), path);
  }

  absl::Status MakeNewTokenizer(const std::string& path) {
    TokenizerOrder order;
    order.kind = TokenizerKindOf(options_);
    order.vocabulary = VocabularyMaxOf(options_);
    order.chat = options_.task() == "chat";
    order.name = options_.model();
    const auto go_on = [this](double share) { return report_("tokenizer", share); };
    if (IsVision(options_)) return TrainCaptionVocabulary(captioned_, order, path, go_on);
    return IsRouter(options_)
               ? TrainRouterVocabulary(labelled_, CorpusOptionsOf(options_).validation_share, order, path, go_on)
               : TrainTokenizer(files_, CorpusOptionsOf(options_).reader, order, path, go_on);
  }

  absl::Status MakeTokens() {
    const auto progress = [this](engine::CorpusStage stage, uint64_t done, uint64_t total) {
      const std::string_view phase = stage == engine::CorpusStage::kReading     ? "reading"
                                     : stage == engine::CorpusStage::kFiltering ? "filtering"
                                                                                : "tokenising";
      return report_(phase, total == 0 ? 0 : static_cast<double>(done) / static_cast<double>(total));
    };
    if (IsVision(options_)) {
      ENIGMA_RETURN_IF_ERROR(MakePictures());
    } else if (IsRouter(options_)) {
      ENIGMA_RETURN_IF_ERROR(MakeRouterTokens(progress));
    } else {
      ENIGMA_ASSIGN_OR_RETURN(corpus_, engine::PrepareCorpus(files_, *tokenizer_.tokenizer, tokenizer_.chat_or_null(),
                                                             CorpusOptionsOf(options_), progress));
      // Whoever talks to the model puts questions as they were put in training. A base model keeps what it has.
      if (!base_ && corpus_.report.only_questions()) {
        ENIGMA_RETURN_IF_ERROR(SetChatTemplate(folders_.TokenizerPath(id_), engine::kQuestionTemplate));
      }
    }
    return engine::WriteTokenSet(*corpus_.tokens, folders_.TokenSetPath(id_));
  }

  absl::Status MakeRouterTokens(const engine::CorpusProgress& progress) {
    ENIGMA_ASSIGN_OR_RETURN(const auto file, engine::GgufFile::Open(folders_.TokenizerPath(id_)));
    ENIGMA_ASSIGN_OR_RETURN(const std::optional<engine::RouterSpec> router,
                            engine::RouterSpecFromGguf(file->metadata()));
    ENIGMA_ASSIGN_OR_RETURN(const engine::TrainingConfig config, Resolve());
    const engine::CorpusOptions asked = CorpusOptionsOf(options_);
    ENIGMA_ASSIGN_OR_RETURN(corpus_, engine::PrepareRouterCorpus(labelled_, *tokenizer_.tokenizer, *router,
                                                                 {.validation_share = asked.validation_share,
                                                                  .train_on_prompts = asked.train_on_prompts,
                                                                  .context = config.context},
                                                                 progress));
    return absl::OkStatus();
  }

  absl::Status MakePictures() {
    ENIGMA_ASSIGN_OR_RETURN(const engine::TrainingConfig config, Resolve());
    const auto go_on = [this](double share) { return report_("pictures", share); };
    ENIGMA_ASSIGN_OR_RETURN(engine::PreparedCaptions prepared,
                            PreparePictureCorpus(captioned_, *material_.pictures, *tokenizer_.tokenizer, config,
                                                 CorpusOptionsOf(options_).validation_share, go_on));
    corpus_ = {std::move(prepared.tokens), std::move(prepared.report)};
    pictures_ = std::move(prepared.pictures);
    ENIGMA_RETURN_IF_ERROR(SetChatTemplate(folders_.TokenizerPath(id_), engine::kCaptionTemplate));
    return engine::WritePictureSet(*pictures_, folders_.PictureSetPath(id_));
  }

  absl::StatusOr<engine::TrainingConfig> Resolve() const {
    return ResolveOptions(options_, tokenizer_.tokenizer->vocab_size(), base_ ? &*base_ : nullptr);
  }

  absl::Status MakeConfig() {
    ENIGMA_ASSIGN_OR_RETURN(config_, Resolve());
    if (config_.pictures.used()) {
      ENIGMA_ASSIGN_OR_RETURN(const engine::TokenId token, PictureToken(*tokenizer_.tokenizer));
      config_.pictures.token = static_cast<uint32_t>(token);
    }
    if (config_.spec.vocab < tokenizer_.tokenizer->vocab_size()) {
      return absl::InvalidArgumentError(absl::StrCat("the tokenizer has ", tokenizer_.tokenizer->vocab_size(),
                                                     " tokens, and the base model only ", config_.spec.vocab));
    }
    ENIGMA_ASSIGN_OR_RETURN(const engine::SlotLoader slots,
                            engine::SlotLoader::Create(corpus_.tokens, engine::SlotOptionsOf(config_), pictures_));
    SetLength(options_, slots.sequences(), config_);
    return engine::CheckTrainingConfig(config_);
  }

  absl::StatusOr<Job> MakeJob() {
    RankNeeds needs;
    needs.memory_bytes = engine::TrainingMemoryBytes(config_);
    needs.ranks_max = RanksMaxOf(options_, config_);
    needs.trusted_network = IsGloo(options_);
    const MeasuredPower measured = MeasurePower(plane_, needs, config_.precision);
    const JobEstimate estimate = EstimateJob(config_, measured.power);
    Job job;
    job.id = id_;
    job.model = options_.model();
    if (base_) {
      ENIGMA_ASSIGN_OR_RETURN(const ModelPtr base, plane_.models.Find(options_.base_model()));
      job.base_model = base->name;
      job.base_id = engine::HexOf(base->manifest.id);
    }
    job.task = options_.task();
    job.priority = options_.priority();
    // Without a slot a worker has nothing to do, and is free for another job.
    job.workers_max = needs.ranks_max;
    job.gloo = IsGloo(options_);
    job.keep_checkpoints = options_.has_keep_checkpoints() ? options_.keep_checkpoints() : kKeepCheckpointsDefault;
    job.submitted_unix_ms = absl::ToUnixMillis(plane_.clock.Now());
    job.config_json = engine::TrainingConfigToJson(config_);
    job.report_json = corpus_.report.ToJson();
    job.steps = config_.steps;
    job.parameters = estimate.parameters;
    job.flops_per_token = FlopsPerTrainedToken();
    for (const engine::CorpusWarning& warning : corpus_.report.warnings) job.warnings.push_back(warning.text);
    job.warnings.insert(job.warnings.end(), estimate.warnings.begin(), estimate.warnings.end());
    ENIGMA_ASSIGN_OR_RETURN(job.token_set, DescribeFile(folders_.TokenSetPath(id_), kTokenSetFile));
    ENIGMA_ASSIGN_OR_RETURN(job.tokenizer, DescribeFile(folders_.TokenizerPath(id_), kTokenizerFile));
    if (pictures_ != nullptr) {
      ENIGMA_ASSIGN_OR_RETURN(job.picture_set, DescribeFile(folders_.PictureSetPath(id_), kPictureSetFile));
    }
    return job;
  }

  // Tokens that are only read are computed all the same, and so are pictures.
  double FlopsPerTrainedToken() const {
    const engine::CorpusPart& part = corpus_.report.training;
    double flops = engine::TrainingFlopsPerToken(config_.spec, config_.context) * static_cast<double>(part.tokens);
    if (config_.pictures.used()) {
      flops += engine::VisionTrainingFlops(config_.pictures.encoder) * static_cast<double>(part.documents);
    }
    return flops / static_cast<double>(std::max<uint64_t>(part.trained, 1));
  }

  ControlPlane& plane_;
  const JobFolders& folders_;
  const uint64_t id_;
  const JobMaterial& material_;
  const enigma::v1::TrainingOptions& options_;
  const PreparationReport& report_;
  std::optional<engine::ModelSpec> base_;
  std::vector<std::unique_ptr<MappedText>> mapped_;
  std::vector<engine::CorpusFile> files_;  // borrow from mapped_
  engine::LabelledCorpus labelled_;        // of a router
  PictureCorpus captioned_;                // of task vision
  JobTokenizer tokenizer_;
  engine::PreparedCorpus corpus_;
  std::shared_ptr<const engine::PictureSet> pictures_;  // shared as PictureSet says; of task vision
  engine::TrainingConfig config_;
};

}  // namespace

absl::StatusOr<Job> PrepareJob(ControlPlane& plane, const JobFolders& folders, uint64_t id, const JobMaterial& material,
                               const PreparationReport& report) {
  return Preparation(plane, folders, id, material, report).Run();
}

absl::StatusOr<engine::ModelSpec> ShapeOfModel(ControlPlane& plane, const std::string& name) {
  ENIGMA_ASSIGN_OR_RETURN(const ModelPtr model, plane.models.Find(name));
  ENIGMA_ASSIGN_OR_RETURN(const GgufPtr file, plane.files.Open(*model));
  return engine::WholeSpecFromGguf(*file);
}

}  // namespace enigma::coordinator
