#include "engine/training/decoder.h"

#include <cmath>
#include <cstring>
#include <random>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "engine/kernels/cpu_target.h"
#include "tests/unit/engine/training/reference_decoder.h"

namespace enigma::engine {
namespace {

// Documents of 11, 1 and 6 tokens; some tokens are not learned.
SlotBatch SmallBatch(uint32_t vocab, uint32_t seed = 5) {
  std::mt19937 generator(seed);
  SlotBatch batch;
  batch.starts = {0};
  for (const uint32_t length : {11U, 1U, 6U}) {
    for (uint32_t position = 0; position < length; ++position) {
      batch.tokens.push_back(static_cast<int32_t>(generator() % vocab));
      const bool trained = generator() % 4 != 0;
      batch.targets.push_back(trained ? static_cast<int32_t>(generator() % vocab) : -1);
      batch.positions.push_back(position);
      batch.trained += trained ? 1 : 0;
    }
    batch.starts.push_back(static_cast<uint32_t>(batch.tokens.size()));
  }
  return batch;
}

struct Subject {
  explicit Subject(ModelSpec s) : spec(std::move(s)), layout(spec), state(InitialState(spec, layout, 3)) {
    // Larger than at a job's start, so that nothing is nearly linear; norms and biases off their 1 and 0.
    std::mt19937 generator(9);
    std::normal_distribution<float> normal(0, 0.2F);
    for (const Parameter& p : layout.parameters()) {
      for (size_t i = 0; i < p.count; ++i) state.weights[p.offset + i] += normal(generator);
    }
  }
  std::vector<float> Gradient(const SlotBatch& batch, const Decoder::Options& options, int threads, double* loss) {
    ThreadPool pool(threads);
    Decoder decoder(spec, layout, 16, options, pool);
    decoder.SetWeights(state.weights.data());
    std::vector<float> gradient(layout.floats(), 77.0F);
    size_t end = layout.floats();
    *loss = decoder.LossAndGradient(batch, 4, 1, gradient.data(), [&](size_t begin, size_t part_end) {
      EXPECT_EQ(part_end, end);
      end = begin;
    });
    EXPECT_EQ(end, 0U);
    return gradient;
  }

  ModelSpec spec;
  ParameterLayout layout;
  TrainingState state;
};

// Every tensor's gradient at some of its values, against central differences of the reference in double.
void ExpectGradientOfReference(const ModelSpec& spec) {
  Subject subject(spec);
  const SlotBatch batch = SmallBatch(spec.vocab);
  double loss = 0;
  const std::vector<float> gradient = subject.Gradient(batch, {}, 2, &loss);
  std::vector<double> weights(subject.state.weights.data(), subject.state.weights.data() + subject.layout.floats());
  EXPECT_NEAR(loss, ReferenceLoss(spec, subject.layout, weights, batch), 1e-5 * loss);

  std::mt19937 generator(1);
  for (const Parameter& p : subject.layout.parameters()) {
    double scale = 0;
    for (size_t i = 0; i < p.count; ++i) scale = std::max(scale, std::fabs(double{gradient[p.offset + i]}));
    for (int sample = 0; sample < 12; ++sample) {
      const size_t at = p.offset + generator() % p.count;
      const double kept = weights[at];
      constexpr double kStep = 1e-5;
      weights[at] = kept + kStep;
      const double above = ReferenceLoss(spec, subject.layout, weights, batch);
      weights[at] = kept - kStep;
      const double below = ReferenceLoss(spec, subject.layout, weights, batch);
      weights[at] = kept;
      const double expected = (above - below) / (2 * kStep);
      EXPECT_NEAR(gradient[at], expected, 2e-5 * scale + 1e-6) << p.name << " " << at - p.offset;
    }
  }
}

TEST(Decoder, GradientOfLlama) { ExpectGradientOfReference(SmallSpec()); }

TEST(Decoder, GradientWithAHeadOfItsOwn) {
  ModelSpec spec = SmallSpec();
  spec.tied_embeddings = false;
  ExpectGradientOfReference(spec);
}

TEST(Decoder, GradientWithBiases) {
  ModelSpec spec = SmallSpec();
  spec.qkv_bias = true;
  spec.rope.pairing = RopePairing::kHalves;
  ExpectGradientOfReference(spec);
}

TEST(Decoder, GradientWithNormsOfQueriesAndKeys) {
  ModelSpec spec = SmallSpec();
  spec.qk_norm = true;
  spec.rope.pairing = RopePairing::kHalves;
  spec.head_dim = 16;
  spec.rope.dimensions = 16;
  ExpectGradientOfReference(spec);
}

TEST(Decoder, GradientWithAWindow) {
  ModelSpec spec = SmallSpec();
  spec.layers[1] = {.attention = AttentionKind::kWindowed, .window = 4};
  ExpectGradientOfReference(spec);
}

// What rounding to eight bits costs. Of a tensor's gradient, seen as a vector: each of its products loses 2^-9 of its
// size at random, over a few layers of them; a factor that is turned or at another's place would cost all of it.
TEST(Decoder, GradientWithBf16ProductsIsNearThatOfF32) {
  ModelSpec spec = SmallSpec();
  spec.tied_embeddings = false;
  spec.qkv_bias = spec.qk_norm = true;
  Subject subject(spec);
  const SlotBatch batch = SmallBatch(spec.vocab);
  double loss = 0;
  double rounded_loss = 0;
  const std::vector<float> exact = subject.Gradient(batch, {}, 2, &loss);
  const std::vector<float> rounded = subject.Gradient(batch, {.precision = ProductPrecision::kBf16}, 2, &rounded_loss);
  EXPECT_NEAR(rounded_loss, loss, 0.01 * loss);
  EXPECT_NE(rounded_loss, loss);
  for (const Parameter& p : subject.layout.parameters()) {
    double difference = 0;
    double size = 0;
    for (size_t i = p.offset; i < p.offset + p.count; ++i) {
      difference += std::pow(double{rounded[i]} - double{exact[i]}, 2);
      size += std::pow(double{exact[i]}, 2);
    }
    EXPECT_LT(std::sqrt(difference / size), 0.04) << p.name;
  }
}

void ExpectSameBitsOnEveryTarget(const Decoder::Options& given) {
  Subject subject(SmallSpec());
  const SlotBatch batch = SmallBatch(subject.spec.vocab);
  for (const float dropout : {0.0F, 0.25F}) {
    Decoder::Options options = given;
    options.dropout = dropout;
    options.seed = 7;
    double expected_loss = 0;
    const std::vector<float> expected = subject.Gradient(batch, options, 1, &expected_loss);
    for (const int64_t target : AvailableCpuTargets()) {
      ForceCpuTarget(target);
      for (const int threads : {1, 2, 3}) {
        for (const bool recompute : {false, true}) {
          options.recompute = recompute;
          double loss = 0;
          const std::vector<float> gradient = subject.Gradient(batch, options, threads, &loss);
          EXPECT_EQ(loss, expected_loss);
          EXPECT_EQ(std::memcmp(gradient.data(), expected.data(), gradient.size() * sizeof(float)), 0)
              << CpuTargetName() << ", " << threads << " threads, recompute " << recompute;
        }
      }
    }
    ForceCpuTarget(0);
  }
}

TEST(Decoder, SameBitsOnEveryTargetWithAnyThreadsAndWithRecomputation) {
  for (const ProductPrecision precision : {ProductPrecision::kF32, ProductPrecision::kBf16}) {
    ExpectSameBitsOnEveryTarget({.precision = precision});
  }
  ExpectSameBitsOnEveryTarget({.dropout = 0.2F, .token_dropout = 0.4F, .seed = 5});
}

// What is left out of a step is seen by nothing: the output layer apart, its embedding has no gradient.
TEST(Decoder, ATokenThatIsLeftOutLearnsNothing) {
  ModelSpec spec = SmallSpec();
  spec.tied_embeddings = false;
  Subject subject(spec);
  const SlotBatch batch = SmallBatch(spec.vocab);
  double loss = 0;
  const std::vector<float> all = subject.Gradient(batch, {.seed = 3}, 1, &loss);
  double thinned_loss = 0;
  const std::vector<float> thinned = subject.Gradient(batch, {.token_dropout = 0.5F, .seed = 3}, 1, &thinned_loss);
  EXPECT_NE(loss, thinned_loss);
  const Parameter& embedding = *subject.layout.Find("token_embd.weight");
  const auto rows_with_gradient = [&](const std::vector<float>& gradient) {
    size_t rows = 0;
    for (size_t row = 0; row < spec.vocab; ++row) {
      const float* values = gradient.data() + embedding.offset + row * spec.hidden;
      rows += std::any_of(values, values + spec.hidden, [](float value) { return value != 0; }) ? 1 : 0;
    }
    return rows;
  };
  EXPECT_LT(rows_with_gradient(thinned), rows_with_gradient(all));
  EXPECT_GT(rows_with_gradient(thinned), 0u);
  double other_loss = 0;
  (void)subject.Gradient(batch, {.token_dropout = 0.5F, .seed = 4}, 1, &other_loss);
  EXPECT_NE(other_loss, thinned_loss) << "which ones is drawn by the seed";
}

// With dropout, against differences of the decoder's own loss: a step apart enough for f32.
TEST(Decoder, GradientWithDropoutIsOfTheSameMask) {
  Subject subject(SmallSpec());
  const SlotBatch batch = SmallBatch(subject.spec.vocab);
  const Decoder::Options options = {.dropout = 0.3F, .token_dropout = 0.3F, .seed = 11};
  double loss = 0;
  const std::vector<float> gradient = subject.Gradient(batch, options, 1, &loss);
  double plain = 0;
  (void)subject.Gradient(batch, {}, 1, &plain);
  EXPECT_NE(loss, plain);
  std::mt19937 generator(2);
  for (const char* name :
       {"token_embd.weight", "blk.0.attn_v.weight", "blk.1.ffn_down.weight", "blk.0.ffn_norm.weight"}) {
    const Parameter& p = *subject.layout.Find(name);
    // Along the gradient of the tensor: large enough to stand out of f32's rounding.
    double square = 0;
    for (size_t i = 0; i < p.count; ++i) square += double{gradient[p.offset + i]} * gradient[p.offset + i];
    const double step = 2e-3 / std::sqrt(square);
    const auto loss_at = [&](double by) {
      Subject moved(SmallSpec());
      for (size_t i = 0; i < p.count; ++i) {
        moved.state.weights[p.offset + i] += static_cast<float>(by * gradient[p.offset + i]);
      }
      double result = 0;
      (void)moved.Gradient(batch, options, 1, &result);
      return result;
    };
    const double slope = (loss_at(step) - loss_at(-step)) / (2 * step);
    EXPECT_NEAR(slope / square, 1, 0.02) << name;
  }
}

TEST(Decoder, LossIsThatOfTheTrainingPassAndOfTheLogits) {
  Subject subject(SmallSpec());
  const SlotBatch batch = SmallBatch(subject.spec.vocab);
  double expected = 0;
  (void)subject.Gradient(batch, {}, 1, &expected);
  ThreadPool pool(2);
  Decoder decoder(subject.spec, subject.layout, 16, {.dropout = 0.5F, .token_dropout = 0.5F, .recompute = true}, pool);
  decoder.SetWeights(subject.state.weights.data());
  EXPECT_EQ(decoder.Loss(batch), expected);
  const std::vector<float> logits = decoder.Logits(batch);
  double loss = 0;
  for (size_t t = 0; t < batch.tokens.size(); ++t) {
    if (batch.targets[t] < 0) continue;
    const float* row = logits.data() + t * subject.spec.vocab;
    double sum = 0;
    for (uint32_t v = 0; v < subject.spec.vocab; ++v) sum += std::exp(double{row[v]});
    loss += std::log(sum) - row[batch.targets[t]];
  }
  EXPECT_NEAR(loss, expected, 1e-5 * expected);
}

}  // namespace
}  // namespace enigma::engine
