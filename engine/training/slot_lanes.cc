#include "engine/training/slot_lanes.h"

#include <atomic>
#include <cmath>

#include "engine/spec/training_memory.h"
#include "engine/training/picture_inputs.h"

namespace enigma::engine {

SlotLanes::SlotLanes(const TrainingConfig& config, const SlotLoader& slots, const ParameterLayout& model,
                     TrainableWeights& trained, ThreadPool& pool)
    : config_(config), slots_(slots), trained_(trained), pool_(pool) {
  const Decoder::Options options = {.dropout = static_cast<float>(config.dropout),
                                    .token_dropout = static_cast<float>(config.token_dropout),
                                    .seed = config.seed,
                                    .precision = config.precision,
                                    .recompute = config.recompute};
  const int lanes = TrainingLaneBytes(config) <= kTrainingLaneBytesMax ? pool.threads() : 1;
  for (int lane = 0; lane < lanes; ++lane) {
    Lane made;
    made.decoder = std::make_unique<Decoder>(config.spec, model, config.context, options, pool);
    if (config.pictures.used()) {
      made.encoder = std::make_unique<Encoder>(config.pictures.encoder, model, config.precision, pool);
    }
    made.gradient = trained.MakeGradient();
    lanes_.push_back(std::move(made));
  }
}

void SlotLanes::SetWeights(const float* weights) {
  const Lane& owner = lanes_.front();
  owner.decoder->SetWeights(weights);
  if (owner.encoder != nullptr) owner.encoder->SetWeights(weights);
  for (size_t lane = 1; lane < lanes_.size(); ++lane) {
    lanes_[lane].decoder->ShareWeights(*owner.decoder);
    if (owner.encoder != nullptr) lanes_[lane].encoder->ShareWeights(*owner.encoder);
  }
}

double SlotLanes::LossAndGradient(Lane& lane, const SlotBatch& batch, uint64_t step, uint32_t slot,
                                  const GradientPart& finished) const {
  float* gradient = lane.gradient->model();
  if (lane.encoder == nullptr) return lane.decoder->LossAndGradient(batch, step, slot, gradient, finished);
  const std::vector<float> inputs =
      AugmentedPictureInputs(*slots_.pictures(), config_.pictures, batch.pictures, config_.seed, step, pool_);
  const float* prefixes = lane.encoder->Forward(inputs.data(), batch.pictures.size());
  const VisionSpec& spec = config_.pictures.encoder;
  float* d_prefix = lane.d_prefix.Reserve(batch.pictures.size() * spec.prefix() * spec.output);
  const double loss = lane.decoder->LossAndGradient(batch, step, slot, gradient, finished, {prefixes, d_prefix});
  lane.encoder->Backward(d_prefix, gradient, finished);
  return loss;
}

double SlotLanes::Loss(const SlotBatch& batch) {
  Lane& lane = lanes_.front();
  if (lane.encoder == nullptr) return lane.decoder->Loss(batch);
  const std::vector<float> inputs = PictureInputs(*slots_.pictures(), config_.pictures, batch.pictures, pool_);
  return lane.decoder->Loss(batch, lane.encoder->Forward(inputs.data(), batch.pictures.size()));
}

void SlotLanes::ComputeSlot(Lane& lane, uint64_t step, uint32_t slot, const Sink& sink, const GradientPart* finished) {
  const SlotBatch batch = slots_.Load(step, slot);
  SlotOutcome outcome = {.slot = slot, .tokens = batch.trained};
  if (batch.tokens.empty()) {
    if (finished != nullptr) {
      for (const auto& [begin, end] : trained_.Ranges()) (*finished)(begin, end);
    }
  } else {
    const auto add = [&](size_t model_begin, size_t model_end) {
      const auto [begin, end] = lane.gradient->Finish(model_begin, model_end);
      if (begin == end) return;
      {
        absl::MutexLock lock(&mutex_);
        if (!sink.sums.Add(lane.gradient->trained(), begin, end, sink.exponents, pool_)) outcome.finite = false;
      }
      if (finished != nullptr) (*finished)(begin, end);
    };
    outcome.loss = LossAndGradient(lane, batch, step, slot, add);
    outcome.finite = outcome.finite && std::isfinite(outcome.loss);
  }
  absl::MutexLock lock(&mutex_);
  sink.outcomes.push_back(outcome);
}

void SlotLanes::Compute(uint64_t step, std::span<const uint32_t> slots, std::span<const int32_t> exponents,
                        GradientSums& sums, std::vector<SlotOutcome>& outcomes, const GradientPart* finished) {
  const Sink sink = {.exponents = exponents, .sums = sums, .outcomes = outcomes};
  // The last slot's parts are final one after another, so all threads share it, and the rest of what does not fill
  // every lane.
  const size_t apart = slots.size() - (finished != nullptr && !slots.empty() ? 1 : 0);
  const size_t at_once = lanes_.size() > 1 ? apart / lanes_.size() * lanes_.size() : 0;
  std::atomic<size_t> next = 0;
  pool_.ParallelFor(at_once == 0 ? 0 : lanes_.size(), 1, [&](size_t begin, size_t end, int) {
    for (size_t lane = begin; lane < end; ++lane) {
      for (size_t i = next.fetch_add(1); i < at_once; i = next.fetch_add(1)) {
        ComputeSlot(lanes_[lane], step, slots[i], sink, nullptr);
      }
    }
  });
  for (size_t i = at_once; i < slots.size(); ++i) {
    ComputeSlot(lanes_.front(), step, slots[i], sink, i + 1 == slots.size() ? finished : nullptr);
  }
  if (slots.empty() && finished != nullptr) {
    for (const auto& [begin, end] : trained_.Ranges()) (*finished)(begin, end);
  }
}

}  // namespace enigma::engine
