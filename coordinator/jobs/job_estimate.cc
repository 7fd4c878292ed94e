#include "coordinator/jobs/job_estimate.h"

#include <algorithm>
#include <numeric>

#include <absl/strings/str_cat.h>
#include <absl/strings/str_format.h>

#include "base/text.h"
#include "engine/spec/lora_targets.h"
#include "engine/spec/training_memory.h"
#include "engine/spec/training_presets.h"
#include "engine/spec/vision_presets.h"

namespace enigma::coordinator {
namespace {

// What a step as a whole, which does more than products, reaches of the operations per second of its products. A rule
// of thumb, from nano, tiny and small on AVX-512 (benchmarks/README.md): 0.73 to 0.8 in f32, 0.65 in bf16.
double ShareOfProducts(engine::ProductPrecision precision) {
  return precision == engine::ProductPrecision::kBf16 ? 0.65 : 0.75;
}
// Of one value in the sums that ranks exchange: packed, it takes no more than it needs.
constexpr double kSumBytes = 5.5;

// A caption is taken to be as long as its picture's prefix: of the data nothing is known here.
double FlopsPerToken(const engine::TrainingConfig& config) {
  const double decoder = engine::TrainingFlopsPerToken(config.spec, config.context);
  if (!config.pictures.used()) return decoder;
  const engine::VisionSpec& encoder = config.pictures.encoder;
  return decoder + engine::VisionTrainingFlops(encoder) / (2.0 * encoder.prefix());
}

// Of one step: every rank sends and receives the sums almost twice, in parts, around a ring.
double WireSeconds(const engine::TrainingConfig& config, const TrainingPower& power, uint64_t parameters) {
  const auto ranks = static_cast<double>(power.flops_per_second.size());
  if (ranks < 2 || power.slowest_link.bytes_per_second <= 0) return 0;
  const double bytes = 2 * (ranks - 1) / ranks * kSumBytes * static_cast<double>(parameters);
  const double buckets = config.spec.layer_count() + 2;
  return bytes / power.slowest_link.bytes_per_second +
         buckets * 2 * (ranks - 1) * power.slowest_link.round_trip_seconds / 2;
}

}  // namespace

std::string ShapeText(const engine::ModelSpec& spec) {
  return absl::StrCat(spec.layer_count(), " layers, ", spec.hidden, " wide, ", spec.heads, " heads (", spec.kv_heads,
                      " of keys and values), feed-forward ", spec.ffn, ", ", spec.vocab, " tokens, context ",
                      spec.context);
}

std::string ShapeText(const engine::VisionSpec& spec) {
  return absl::StrCat("image encoder: ", spec.image_size, " x ", spec.image_size, " pixels, ", spec.stem.size(),
                      " convolutions, ", spec.layers, " layers, ", spec.hidden, " wide, ", spec.heads,
                      " heads, feed-forward ", spec.ffn, ", ", spec.prefix(), " rows a picture");
}

JobEstimate EstimateJob(const engine::TrainingConfig& config, const TrainingPower& power) {
  JobEstimate estimate;
  estimate.shape = ShapeText(config.spec);
  if (config.pictures.used()) absl::StrAppend(&estimate.shape, "; ", ShapeText(config.pictures.encoder));
  estimate.parameters = engine::ModelParameterCount(config);
  estimate.memory_bytes = engine::TrainingMemoryBytes(config);
  estimate.flops_per_token = FlopsPerToken(config);
  estimate.warnings = engine::TrainingWarnings(config);
  const double flops = std::accumulate(power.flops_per_second.begin(), power.flops_per_second.end(), 0.0);
  if (flops <= 0) return estimate;
  const double tokens = static_cast<double>(config.sequences_per_step) * config.context;
  const double compute = tokens * estimate.flops_per_token * (config.recompute ? 4.0 / 3 : 1) /
                         (flops * ShareOfProducts(config.precision));
  const double wire = WireSeconds(config, power, engine::TrainedParameterCount(config));
  estimate.step_seconds = compute + wire;
  estimate.tokens_per_second = tokens / estimate.step_seconds;
  estimate.wire_share = wire / estimate.step_seconds;
  estimate.seconds = estimate.step_seconds * static_cast<double>(config.steps);
  if (estimate.wire_share > kWireShareMax) {
    estimate.warnings.push_back(ToString(absl::StrFormat(
        "about %.0f %% of each step would go into the exchange of gradients between %d workers: fewer of them "
        "(--workers), more sequences per step, or a faster network would serve better",
        estimate.wire_share * 100, power.flops_per_second.size())));
  }
  return estimate;
}

}  // namespace enigma::coordinator
