// The trainer beside an independent model in PyTorch 1.13 (tests/golden/torch_decoder.py, which made the numbers):
// forward, backward, clipping, AdamW and schedule, over 50 steps.
#include <cmath>
#include <iterator>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "engine/training/decoder.h"
#include "engine/training/gradient_sums.h"
#include "engine/training/weight_update.h"

namespace enigma::engine {
namespace {

struct GoldenStep {
  double loss;
  double gradient_norm;
};
constexpr GoldenStep kGolden[] = {
    {4.9043622, 1.6274418}, {4.9397979, 1.8387927}, {4.9077396, 2.0431144}, {4.8819294, 1.7019229},
    {4.9165192, 1.9271797}, {4.9214764, 1.9689033}, {4.8263135, 1.8419253}, {4.7939968, 1.7679219},
    {4.7511754, 1.9635721}, {4.8201413, 2.0154612}, {4.7031779, 2.0198433}, {4.7858825, 1.6635245},
    {4.7344637, 1.8011445}, {4.7149744, 2.2596459}, {4.7014885, 1.9449301}, {4.6917572, 2.1594901},
    {4.6153212, 2.1973367}, {4.6606112, 1.7950262}, {4.6172757, 2.2686298}, {4.6392980, 2.1523473},
    {4.5824480, 2.0892625}, {4.5634060, 1.9043403}, {4.3441443, 2.3845589}, {4.4525199, 2.1235325},
    {4.4070959, 2.1845782}, {4.3854599, 2.3489733}, {4.3322034, 2.0772645}, {4.3759141, 2.3072248},
    {4.2718816, 2.0900114}, {4.2036457, 2.2721913}, {4.2287269, 2.7125306}, {4.2199235, 2.2008321},
    {4.1833529, 2.3174672}, {4.1098418, 2.4638951}, {4.1050215, 2.5300879}, {4.1916366, 2.4527984},
    {4.1478353, 2.1758573}, {4.0565019, 2.3866434}, {3.9930444, 2.2312226}, {4.1326203, 2.2987459},
    {4.0948253, 2.0821166}, {3.9221511, 2.6374342}, {4.0080395, 2.0541127}, {4.0070157, 2.2884607},
    {4.0155725, 2.3123562}, {3.9362295, 2.1274865}, {3.9665740, 2.3509626}, {4.0438719, 2.2543912},
    {3.8342483, 2.2382278}, {3.9146566, 2.2703128},
};

constexpr uint32_t kBatch = 4;
constexpr uint32_t kContext = 32;
constexpr uint32_t kVocab = 128;

uint32_t Scrambled(uint32_t index, uint32_t stream) {
  uint32_t x = index * 2654435761U + stream * 40503U + 12345U;
  x ^= x >> 16;
  x *= 2246822519U;
  return x ^ (x >> 13);
}

ModelSpec GoldenSpec() {
  ModelSpec spec;
  spec.architecture = "llama";
  spec.hidden = 64;
  spec.ffn = 96;
  spec.heads = 4;
  spec.kv_heads = 2;
  spec.head_dim = 16;
  spec.vocab = kVocab;
  spec.context = kContext;
  spec.tied_embeddings = true;
  spec.rope.dimensions = 16;
  spec.rope.pairing = RopePairing::kHalves;
  spec.layers.assign(2, LayerSpec{});
  return spec;
}

// One sequence is one slot.
SlotBatch GoldenSlot(uint32_t step, uint32_t row) {
  const uint32_t sequence = step * kBatch + row;
  SlotBatch batch;
  uint32_t token = Scrambled(sequence, 900) % kVocab;
  for (uint32_t t = 0; t < kContext; ++t) {
    batch.tokens.push_back(static_cast<int32_t>(token));
    token = (5 * token + 7 + Scrambled(sequence * kContext + t, 901) % 3) % kVocab;
    batch.targets.push_back(static_cast<int32_t>(token));
    batch.positions.push_back(t);
  }
  batch.starts = {0, kContext};
  batch.trained = kContext;
  return batch;
}

TrainingState GoldenState(const ParameterLayout& layout) {
  TrainingState state = EmptyState(layout);
  uint32_t stream = 0;
  for (const Parameter& p : layout.parameters()) {
    float* out = state.weights.data() + p.offset;
    for (uint32_t i = 0; i < p.count; ++i) {
      const int value = static_cast<int>(Scrambled(i, stream) % 2001) - 1000;
      out[i] = p.decays ? static_cast<float>(value * 0.0001) : 1.0F;
    }
    ++stream;
  }
  return state;
}

TEST(TorchGolden, FiftyStepsFollowPyTorch) {
  TrainingConfig config;
  config.spec = GoldenSpec();
  config.steps = std::size(kGolden);
  config.learning_rate = 3e-3;
  config.warmup_steps = 5;
  const ParameterLayout layout(config.spec);
  TrainingState state = GoldenState(layout);
  ThreadPool pool(2);
  Decoder decoder(config.spec, layout, kContext, {}, pool);
  GradientSums sums(layout);
  std::vector<float> gradient(layout.floats());
  for (uint32_t step = 0; step < config.steps; ++step) {
    decoder.SetWeights(state.weights.data());
    sums.Clear();
    double loss = 0;
    for (uint32_t row = 0; row < kBatch; ++row) {
      loss += decoder.LossAndGradient(GoldenSlot(step, row), step, row, gradient.data(), [&](size_t begin, size_t end) {
        sums.Add(gradient.data(), begin, end, state.exponents, pool);
      });
    }
    constexpr uint64_t kTokens = kBatch * kContext;
    const WeightUpdate update =
        UpdateWeights(config, layout, std::as_const(sums).values(), kTokens, gradient.data(), state, pool);
    const double tolerance = step == 0 ? 1e-5 : 1e-3;
    EXPECT_NEAR(loss / kTokens, kGolden[step].loss, tolerance * kGolden[step].loss) << "step " << step + 1;
    EXPECT_NEAR(update.gradient_norm, kGolden[step].gradient_norm, 10 * tolerance * kGolden[step].gradient_norm)
        << "step " << step + 1;
  }
}

}  // namespace
}  // namespace enigma::engine
