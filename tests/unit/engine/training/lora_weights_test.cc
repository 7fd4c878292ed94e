#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "engine/training/decoder.h"
#include "engine/training/trainable_weights.h"
#include "tests/unit/engine/training/reference_decoder.h"

namespace enigma::engine {
namespace {

TrainingConfig Config(std::vector<std::string> targets) {
  TrainingConfig config;
  config.spec = SmallSpec();
  config.base_model = "base";
  config.lora = {.rank = 3, .alpha = 5, .targets = std::move(targets)};
  return config;
}

const std::vector<std::string> kAll = {"ffn_up", "attn_q", "attn_k", "ffn_down", "attn_v", "ffn_gate", "attn_output"};

SlotBatch SomeBatch(uint32_t vocab) {
  std::mt19937 generator(5);
  SlotBatch batch;
  batch.starts = {0};
  for (const uint32_t length : {11U, 6U}) {
    for (uint32_t position = 0; position < length; ++position) {
      batch.tokens.push_back(static_cast<int32_t>(generator() % vocab));
      batch.targets.push_back(static_cast<int32_t>(generator() % vocab));
      batch.positions.push_back(position);
      ++batch.trained;
    }
    batch.starts.push_back(static_cast<uint32_t>(batch.tokens.size()));
  }
  return batch;
}

AlignedBuffer<float> RandomWeights(const ParameterLayout& layout, uint32_t seed, float deviation) {
  std::mt19937 generator(seed);
  std::normal_distribution<float> normal(0, deviation);
  AlignedBuffer<float> weights(layout.floats());
  std::fill_n(weights.data(), weights.size(), 0.0F);
  for (const Parameter& p : layout.parameters()) {
    for (size_t i = 0; i < p.count; ++i)
      weights[p.offset + i] = normal(generator) + (p.shape.size() == 1 ? 1.0F : 0.0F);
  }
  return weights;
}

std::vector<double> InDouble(const AlignedBuffer<float>& values) {
  return {values.data(), values.data() + values.size()};
}

// A base model, factors that are both away from 0, and the decoder that trains them.
struct LoraSubject {
  explicit LoraSubject(TrainingConfig c, int threads = 2)
      : config(std::move(c)),
        pool(threads),
        model(config.spec),
        layout(ParameterLayout::OfJob(config)),
        base(RandomWeights(model, 9, 0.2F)),
        factors(RandomWeights(layout, 4, 0.3F)),
        trained(MakeTrainableWeights(config, model, RandomWeights(model, 9, 0.2F), pool)),
        gradient(trained->MakeGradient()),
        decoder(config.spec, model, 16, {}, pool) {
    decoder.SetWeights(trained->ModelWeights(factors.data()));
  }
  ReferenceLora Reference() const { return {layout, InDouble(factors), double{config.lora.alpha} / config.lora.rank}; }

  TrainingConfig config;
  ThreadPool pool;
  ParameterLayout model;
  ParameterLayout layout;
  AlignedBuffer<float> base;
  AlignedBuffer<float> factors;
  std::unique_ptr<TrainableWeights> trained;
  std::unique_ptr<SlotGradient> gradient;
  Decoder decoder;
};

TEST(LoraWeights, GradientsOfTheFactorsAreThoseOfTheReference) {
  LoraSubject subject(Config(kAll));
  const SlotBatch batch = SomeBatch(subject.config.spec.vocab);
  const std::vector<double> base = InDouble(subject.base);
  ReferenceLora lora = subject.Reference();
  std::vector<FloatRange> ranges;
  const double loss =
      subject.decoder.LossAndGradient(batch, 0, 0, subject.gradient->model(), [&](size_t begin, size_t end) {
        const FloatRange range = subject.gradient->Finish(begin, end);
        if (range.first != range.second) ranges.push_back(range);
      });
  EXPECT_EQ(ranges, subject.trained->Ranges());
  EXPECT_EQ(ranges.front().second, subject.layout.floats());
  EXPECT_EQ(ranges.back().first, 0U);
  // The merged model's loss is that of W x + s B (A x).
  EXPECT_NEAR(loss, ReferenceLoss(subject.config.spec, subject.model, base, batch, &lora), 1e-5 * loss);
  EXPECT_GT(std::fabs(loss - ReferenceLoss(subject.config.spec, subject.model, base, batch)), 1e-2 * loss);

  const float* gradient = subject.gradient->trained();
  std::mt19937 generator(1);
  for (const Parameter& p : subject.layout.parameters()) {
    double scale = 0;
    for (size_t i = 0; i < p.count; ++i) scale = std::max(scale, std::fabs(double{gradient[p.offset + i]}));
    EXPECT_GT(scale, 1e-3) << p.name;
    for (int sample = 0; sample < 8; ++sample) {
      const size_t at = p.offset + generator() % p.count;
      const double kept = lora.factors[at];
      constexpr double kStep = 1e-5;
      lora.factors[at] = kept + kStep;
      const double above = ReferenceLoss(subject.config.spec, subject.model, base, batch, &lora);
      lora.factors[at] = kept - kStep;
      const double below = ReferenceLoss(subject.config.spec, subject.model, base, batch, &lora);
      lora.factors[at] = kept;
      EXPECT_NEAR(gradient[at], (above - below) / (2 * kStep), 5e-5 * scale + 1e-6) << p.name << " " << at - p.offset;
    }
  }
}

TEST(LoraWeights, OnlyTargetsChangeAndFromTheBaseEachTime) {
  LoraSubject subject(Config({"ffn_down", "attn_q"}));
  const float* merged = nullptr;
  for (int time = 0; time < 3; ++time) merged = subject.trained->ModelWeights(subject.factors.data());
  const uint32_t rank = subject.config.lora.rank;
  const double s = double{subject.config.lora.alpha} / rank;
  for (const Parameter& p : subject.model.parameters()) {
    const float* w = subject.base.data() + p.offset;
    const Parameter* a = subject.layout.Find(p.name + kLoraA);
    if (a == nullptr) {
      EXPECT_EQ(std::memcmp(w, merged + p.offset, p.count * sizeof(float)), 0) << p.name;
      continue;
    }
    const Parameter* b = subject.layout.Find(p.name + kLoraB);
    const size_t cols = p.shape[0];
    for (size_t i = 0; i < p.count; ++i) {
      double expected = double{w[i]};
      for (uint32_t r = 0; r < rank; ++r) {
        expected +=
            s * subject.factors[b->offset + i / cols * rank + r] * subject.factors[a->offset + r * cols + i % cols];
      }
      ASSERT_NEAR(merged[p.offset + i], expected, 1e-6) << p.name << " " << i;
    }
  }
  EXPECT_EQ(subject.layout.parameters().size(), 2U * 2 * 2);
  EXPECT_EQ(subject.layout.parameters()[1].name, "blk.0.attn_q.weight.lora_b");
  EXPECT_EQ(subject.layout.parameters()[1].shape, (std::vector<uint64_t>{3, 32}));
}

TEST(LoraWeights, AtTheBeginningTheModelIsTheBaseModel) {
  LoraSubject subject(Config(kAll));
  const TrainingState state = InitialState(subject.config.spec, subject.layout, 1);
  EXPECT_NE(state.weights[0], 0);
  const float* merged = subject.trained->ModelWeights(state.weights.data());
  EXPECT_EQ(std::memcmp(merged, subject.base.data(), subject.base.size() * sizeof(float)), 0);
}

TEST(LoraWeights, BitsDoNotDependOnThreads) {
  LoraSubject one(Config(kAll), 1);
  LoraSubject three(Config(kAll), 3);
  const SlotBatch batch = SomeBatch(one.config.spec.vocab);
  for (LoraSubject* subject : {&one, &three}) {
    subject->decoder.LossAndGradient(batch, 0, 0, subject->gradient->model(),
                                     [&](size_t begin, size_t end) { subject->gradient->Finish(begin, end); });
  }
  EXPECT_EQ(std::memcmp(one.gradient->trained(), three.gradient->trained(), one.layout.floats() * sizeof(float)), 0);
  EXPECT_EQ(std::memcmp(one.trained->ModelWeights(one.factors.data()),
                        three.trained->ModelWeights(three.factors.data()), one.model.floats() * sizeof(float)),
            0);
}

}  // namespace
}  // namespace enigma::engine
