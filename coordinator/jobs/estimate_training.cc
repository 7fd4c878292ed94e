#include "coordinator/jobs/estimate_training.h"

#include <optional>

#include "base/status_macros.h"
#include "coordinator/jobs/job_options.h"
#include "coordinator/jobs/job_preparation.h"
#include "coordinator/jobs/training_power.h"
#include "engine/spec/training_memory.h"

namespace enigma::coordinator {
namespace {

constexpr uint32_t kCharactersGuess = 400;  // with bytes and special tokens

}  // namespace

absl::StatusOr<enigma::v1::EstimateJobReply> EstimateTraining(ControlPlane& plane,
                                                              const enigma::v1::TrainingOptions& options) {
  ENIGMA_RETURN_IF_ERROR(CheckJobOptions(options));
  std::optional<engine::ModelSpec> base;
  if (!options.base_model().empty()) {
    ENIGMA_ASSIGN_OR_RETURN(base, ShapeOfModel(plane, options.base_model()));
  }
  // How many characters there are is in the data: few, as a rule.
  const bool by_characters = TokenizerKindOf(options) == engine::TokenizerKind::kCharacter;
  const uint32_t vocabulary = by_characters && !options.has_vocab_size() ? kCharactersGuess : VocabularyMaxOf(options);
  ENIGMA_ASSIGN_OR_RETURN(engine::TrainingConfig config, ResolveOptions(options, vocabulary, base ? &*base : nullptr));
  SetLength(options, 0, config);
  const bool length_known = config.steps > 0;
  if (!length_known) config.steps = 1;  // for the check alone
  ENIGMA_RETURN_IF_ERROR(engine::CheckTrainingConfig(config));
  RankNeeds needs;
  needs.memory_bytes = engine::TrainingMemoryBytes(config);
  needs.ranks_max = options.workers_max();
  needs.trusted_network = IsGloo(options);
  const MeasuredPower measured = MeasurePower(plane, needs);
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
  for (const std::string& warning : estimate.warnings) reply.add_warnings(warning);
  for (const std::string& reason : measured.reasons) reply.add_warnings(reason);
  reply.set_config_json(engine::TrainingConfigToJson(config));
  return reply;
}

}  // namespace enigma::coordinator
