// Stages against a scalar reference in double, for every family and every stored type.
#include <cmath>
#include <vector>

#include <gtest/gtest.h>

#include "base/counter_random.h"
#include "tests/conformance/pipeline.h"
#include "tests/conformance/reference_model.h"
#include "tests/support/synthetic_models.h"

namespace enigma::engine::testing {
using ::enigma::testing::TestModel;

namespace {

struct Case {
  TestModel model;
  double tolerance;  // of the root mean square difference, relative to that of the logits
};

void PrintTo(const Case& instance, std::ostream* out) { *out << instance.model.name(); }

class ReferenceTest : public ::testing::TestWithParam<Case> {};

TEST_P(ReferenceTest, LogitsAgree) {
  ENIGMA_REQUIRE_MODEL(path, GetParam().model);
  const auto weights = OpenGgufWeights(path);
  ASSERT_TRUE(weights.ok()) << weights.status();
  Pipeline pipeline(path, {.kv_type = KvType::kF32});
  std::vector<TokenId> tokens;
  for (uint32_t i = 0; i < 40; ++i) {
    tokens.push_back(static_cast<TokenId>(CounterUniform(3, 0, i) * pipeline.spec().vocab));
  }
  const auto expected = ReferenceModel(**weights).Logits(tokens);
  double difference = 0;
  double size = 0;
  for (size_t t = 0; t < tokens.size(); ++t) {
    const auto row = pipeline.Step(0, {tokens[t]});
    for (size_t i = 0; i < row.logits.size(); ++i) {
      const double error = static_cast<double>(row.logits[i]) - expected[t][i];
      difference += error * error;
      size += expected[t][i] * expected[t][i];
    }
  }
  EXPECT_GT(size, 0);
  EXPECT_LT(std::sqrt(difference / size), GetParam().tolerance);
}

// f32 weights differ from the reference by rounding alone. Quantised ones see activations of 8 bits, whose steps of
// 1/127 of a block's largest value make relative errors of a few thousandths in each product.
constexpr double kExact = 1e-5;
constexpr double kEightBitActivations = 0.03;

INSTANTIATE_TEST_SUITE_P(
    Models, ReferenceTest,
    ::testing::Values(Case{{"stories260K", ""}, kExact}, Case{{"tiny", "f32"}, kExact},
                      Case{{"tiny-windowed", "f32"}, kExact}, Case{{"tiny-stretched", "f32"}, kExact},
                      Case{{"tiny-qwen2", "f32"}, kExact}, Case{{"tiny-qwen3", "f32"}, kExact},
                      Case{{"tiny", "f16"}, kExact}, Case{{"tiny", "bf16"}, kExact},
                      Case{{"tiny", "q8_0"}, kEightBitActivations}, Case{{"tiny", "q4_0"}, kEightBitActivations},
                      Case{{"tiny", "q4_1"}, kEightBitActivations}, Case{{"tiny", "q5_0"}, kEightBitActivations},
                      Case{{"tiny", "q5_1"}, kEightBitActivations}, Case{{"tiny", "q4_k"}, kEightBitActivations},
                      Case{{"tiny", "q5_k"}, kEightBitActivations}, Case{{"tiny", "q6_k"}, kEightBitActivations},
                      Case{{"tiny-qwen2", "q8_0"}, kEightBitActivations},
                      Case{{"tiny-qwen3", "q4_k"}, kEightBitActivations}),
    [](const auto& instance) { return instance.param.model.name(); });

}  // namespace
}  // namespace enigma::engine::testing
