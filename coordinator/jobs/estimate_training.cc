#include "coordinator/jobs/estimate_training.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "coordinator/jobs/job_options.h"
#include "coordinator/jobs/job_preparation.h"
#include "coordinator/jobs/training_power.h"
#include "engine/spec/training_memory.h"
#include "engine/text/tokenizer.h"

namespace enigma::coordinator {
namespace {

constexpr double kBytesPerToken = 3.5;      // of English text, with vocabularies of a few thousand byte pairs
constexpr uint32_t kCharactersGuess = 400;  // with bytes and special tokens: few are beyond ASCII, as a rule

// Tokens that the job's vocabulary will have, as far as that is known without the data.
absl::StatusOr<uint32_t> VocabularyOf(ControlPlane& plane, const enigma::v1::EstimateJobRequest& request,
                                      std::vector<std::string>& warnings) {
  const enigma::v1::TrainingOptions& options = request.options();
  const std::string& model = request.tokenizer_model();
  if (request.tokenizer_tokens() > 0 || !model.empty()) ENIGMA_RETURN_IF_ERROR(CheckTokenizerGiven(options));
  if (request.tokenizer_tokens() > 0) return request.tokenizer_tokens();
  if (!model.empty()) {
    ENIGMA_ASSIGN_OR_RETURN(const ModelPtr registered, plane.models.Find(model));
    ENIGMA_ASSIGN_OR_RETURN(const GgufPtr file, plane.files.Open(*registered));
    ENIGMA_ASSIGN_OR_RETURN(const auto tokenizer, engine::Tokenizer::FromGguf(file->metadata()));
    return tokenizer->vocab_size();
  }
  if (TokenizerKindOf(options) == engine::TokenizerKind::kBytePair) return VocabularyMaxOf(options);
  const uint32_t guess = options.has_vocab_size() ? std::min(options.vocab_size(), kCharactersGuess) : kCharactersGuess;
  warnings.push_back(
      absl::StrCat("how many characters there are the data will tell; reckoned with ", guess, " tokens"));
  return guess;
}

// Sequences of one pass over so many bytes of text; 0 where that cannot be said.
uint64_t SequencesOf(const enigma::v1::EstimateJobRequest& request, const engine::TrainingConfig& config) {
  const enigma::v1::TrainingOptions& options = request.options();
  if (request.data_bytes() == 0 || IsVision(options)) return 0;
  const bool characters = TokenizerKindOf(options) == engine::TokenizerKind::kCharacter;
  const double tokens = static_cast<double>(request.data_bytes()) / (characters ? 1 : kBytesPerToken);
  const double trained = tokens * (1 - CorpusOptionsOf(options).validation_share);
  return static_cast<uint64_t>(std::ceil(trained / config.context));
}

}  // namespace

absl::StatusOr<enigma::v1::EstimateJobReply> EstimateTraining(ControlPlane& plane,
                                                              const enigma::v1::EstimateJobRequest& request,
                                                              const std::set<std::string>& taken) {
  const enigma::v1::TrainingOptions& options = request.options();
  ENIGMA_RETURN_IF_ERROR(CheckJobOptions(options));
  std::optional<engine::ModelSpec> base;
  if (!options.base_model().empty()) {
    ENIGMA_ASSIGN_OR_RETURN(base, ShapeOfModel(plane, options.base_model()));
  }
  std::vector<std::string> warnings;
  ENIGMA_ASSIGN_OR_RETURN(const uint32_t vocabulary, VocabularyOf(plane, request, warnings));
  ENIGMA_ASSIGN_OR_RETURN(engine::TrainingConfig config, ResolveOptions(options, vocabulary, base ? &*base : nullptr));
  const uint64_t sequences = SequencesOf(request, config);
  SetLength(options, sequences, config);
  if (sequences > 0 && !options.has_steps()) {
    warnings.push_back(absl::StrCat("the steps are reckoned from the size of the data, ", request.data_bytes(),
                                    " bytes; filters and the tokenizer will make it other"));
  }
  const bool length_known = config.steps > 0;
  if (!length_known) config.steps = 1;  // for the check alone
  ENIGMA_RETURN_IF_ERROR(engine::CheckTrainingConfig(config));
  RankNeeds needs;
  needs.memory_bytes = engine::TrainingMemoryBytes(config);
  needs.ranks_max = RanksMaxOf(options, config);
  needs.trusted_network = IsGloo(options);
  needs.taken = taken;
  MeasuredPower measured = MeasurePower(plane, needs, config.precision);
  if (measured.nodes.empty() && !taken.empty()) {
    needs.taken.clear();
    MeasuredPower later = MeasurePower(plane, needs, config.precision);
    if (!later.nodes.empty()) {
      measured = std::move(later);
      warnings.push_back("no worker is free for this now; reckoned as if other jobs were done");
    }
  }
  if (!length_known) config.steps = config.warmup_steps = 0;
  const JobEstimate estimate = EstimateJob(config, measured.power);
  enigma::v1::EstimateJobReply reply;
  reply.set_shape(estimate.shape);
  reply.set_parameters(estimate.parameters);
  reply.set_memory_bytes(estimate.memory_bytes);
  reply.set_flops_per_token(estimate.flops_per_token);
  reply.set_tokens_per_second(estimate.tokens_per_second);
  reply.set_step_seconds(estimate.step_seconds);
  reply.set_wire_share(estimate.wire_share);
  reply.set_steps(config.steps);
  reply.set_seconds(estimate.seconds);
  reply.mutable_nodes()->Assign(measured.nodes.begin(), measured.nodes.end());
  warnings.insert(warnings.end(), estimate.warnings.begin(), estimate.warnings.end());
  warnings.insert(warnings.end(), measured.reasons.begin(), measured.reasons.end());
  reply.mutable_warnings()->Assign(warnings.begin(), warnings.end());
  reply.set_config_json(engine::TrainingConfigToJson(config));
  return reply;
}

}  // namespace enigma::coordinator
