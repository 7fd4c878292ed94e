#include "engine/training/export_model.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/sampling/local_router.h"
#include "engine/text/tokenizer.h"
#include "engine/training/decoder.h"
#include "engine/training/import_model.h"
#include "engine/weights/weight_source.h"
#include "tests/support/edited_model.h"
#include "tests/support/message_of.h"
#include "tests/unit/engine/training/small_models.h"
#include "tests/unit/engine/weights/temporary_folder.h"

namespace enigma::engine {
namespace {

using ::enigma::testing::MessageOf;

using ::testing::HasSubstr;
using testing::SmallModel;
using testing::SmallSpec;
using testing::TemporaryFolder;

void ExpectSameSpec(const ModelSpec& a, const ModelSpec& b) {
  EXPECT_EQ(a.architecture, b.architecture);
  EXPECT_EQ(a.name, b.name);
  EXPECT_EQ(a.hidden, b.hidden);
  EXPECT_EQ(a.ffn, b.ffn);
  EXPECT_EQ(a.heads, b.heads);
  EXPECT_EQ(a.kv_heads, b.kv_heads);
  EXPECT_EQ(a.head_dim, b.head_dim);
  EXPECT_EQ(a.vocab, b.vocab);
  EXPECT_EQ(a.context, b.context);
  EXPECT_EQ(a.norm_epsilon, b.norm_epsilon);
  EXPECT_EQ(a.qkv_bias, b.qkv_bias);
  EXPECT_EQ(a.qk_norm, b.qk_norm);
  EXPECT_EQ(a.tied_embeddings, b.tied_embeddings);
  EXPECT_EQ(a.rope.theta, b.rope.theta);
  EXPECT_EQ(a.rope.dimensions, b.rope.dimensions);
  EXPECT_EQ(a.rope.pairing, b.rope.pairing);
  EXPECT_EQ(a.rope.scaling, b.rope.scaling);
  EXPECT_EQ(a.rope.factor, b.rope.factor);
  EXPECT_EQ(a.rope.original_context, b.rope.original_context);
  EXPECT_EQ(a.rope.frequency_factors, b.rope.frequency_factors);
  ASSERT_EQ(a.layer_count(), b.layer_count());
  for (uint32_t layer = 0; layer < a.layer_count(); ++layer) {
    EXPECT_EQ(a.layers[layer].attention, b.layers[layer].attention);
    EXPECT_EQ(a.layers[layer].window, b.layers[layer].window);
  }
}

TEST(ExportModelTest, WhatIsExportedIsReadAsTheSameModel) {
  const TemporaryFolder folder;
  ThreadPool pool(2);
  for (const ModelSpec& spec : testing::SmallSpecs()) {
    const SmallModel model(spec);
    const std::string path = folder.File("m.gguf");
    const auto bytes = ExportGguf(model.View(), DType::kF32, path);
    ASSERT_TRUE(bytes.ok()) << bytes.status();
    const auto weights = OpenGgufWeights(path);
    ASSERT_TRUE(weights.ok()) << weights.status();
    EXPECT_EQ(*bytes, (*weights)->head().file_size());
    const auto read = SpecOfModel(**weights);
    ASSERT_TRUE(read.ok()) << read.status();
    ExpectSameSpec(*read, spec);
    TrainingState state = EmptyState(model.layout);
    const absl::Status imported = ImportWeights(**weights, model.layout, state, pool);
    ASSERT_TRUE(imported.ok()) << imported;
    EXPECT_EQ(std::memcmp(state.weights.data(), model.state.weights.data(), state.weights.size() * sizeof(float)), 0);
    EXPECT_EQ((*weights)->head().FindTensor("output.weight") == nullptr, spec.tied_embeddings);
  }
}

TEST(ExportModelTest, TheTokenizerGoesAlong) {
  const TemporaryFolder folder;
  SmallModel model(SmallSpec("llama"));
  model.tokenizer.Set("tokenizer.chat_template", std::string("{{ messages }}"));
  model.tokenizer.Set("general.name", std::string("of the vocabulary"));
  ASSERT_TRUE(ExportGguf(model.View(), DType::kF32, folder.File("m.gguf")).ok());
  const auto file = GgufFile::Open(folder.File("m.gguf"));
  ASSERT_TRUE(file.ok()) << file.status();
  const GgufMetadata& metadata = (*file)->metadata();
  EXPECT_EQ(metadata.StringOr("tokenizer.chat_template", ""), "{{ messages }}");
  EXPECT_EQ(metadata.StringOr("general.name", ""), "small llama");
  EXPECT_EQ(metadata.UintOr("general.file_type", 99), 0U);
  const auto tokenizer = Tokenizer::FromGguf(metadata);
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
  EXPECT_THAT((*tokenizer)->Encode("hello", {}), ::testing::ElementsAre(testing::kBpHello));
}

TEST(ExportModelTest, WhatMakesARouterGoesAlong) {
  const TemporaryFolder folder;
  const SmallModel model(SmallSpec("llama"));
  RouterSpec spec;
  spec.labels = {"chat", "code"};
  spec.label_tokens = {testing::kBpEnd, testing::kBpStart};
  spec.temperature = 2;
  spec.threshold = 0.5;
  TrainedModel view = model.View();
  view.router = &spec;
  const std::string path = folder.File("m.gguf");
  ASSERT_TRUE(ExportGguf(view, DType::kF32, path).ok());
  ThreadPool pool(2);
  const auto router = LocalRouter::Open(path, pool);
  ASSERT_TRUE(router.ok()) << router.status();
  EXPECT_EQ((*router)->spec().labels, spec.labels);
  EXPECT_EQ((*router)->spec().threshold, 0.5);
  const auto scores = (*router)->Classify("hello");
  ASSERT_TRUE(scores.ok()) << scores.status();
  // The same by the trainer's own forward pass.
  Decoder decoder(model.spec, model.layout, model.spec.context, {.recompute = true}, pool);
  decoder.SetWeights(model.state.weights.data());
  SlotBatch prompt;
  prompt.tokens = (*router)->tokenizer().Encode("Q: hello\nA: [E:tool]", {});
  for (uint32_t i = 0; i < prompt.tokens.size(); ++i) prompt.positions.push_back(i);
  prompt.targets.assign(prompt.tokens.size(), -1);
  prompt.starts = {0, static_cast<uint32_t>(prompt.tokens.size())};
  const std::vector<float> logits = decoder.Logits(prompt);
  const float* last = logits.data() + logits.size() - testing::kBpTokens;
  const double difference = double{last[testing::kBpEnd]} - last[testing::kBpStart];
  EXPECT_NEAR(scores->probabilities[0], 1 / (1 + std::exp(-difference / 2)), 1e-3);
  EXPECT_TRUE((*router)->Classify(std::string(10'000, 'x')).ok()) << "what is too long loses its middle";

  ASSERT_TRUE(ExportGguf(model.View(), DType::kF32, path).ok());
  EXPECT_THAT(MessageOf(LocalRouter::Open(path, pool).status()), HasSubstr("is no router"));
}

TEST(ExportModelTest, ARouterWithDamagedWeightsSaysSo) {
  const TemporaryFolder folder;
  SmallModel model(SmallSpec("llama"));
  RouterSpec spec;
  spec.labels = {"chat", "code"};
  spec.label_tokens = {testing::kBpEnd, testing::kBpStart};
  const Parameter* head = model.layout.Find("output.weight");
  if (head == nullptr) head = model.layout.Find("token_embd.weight");
  // Of a label that no text holds, so that all before the logits is sound; their sums are not.
  float* row = model.state.weights.data() + head->offset + size_t{testing::kBpEnd} * model.spec.hidden;
  std::fill_n(row, model.spec.hidden, std::numeric_limits<float>::max());
  TrainedModel view = model.View();
  view.router = &spec;
  const std::string path = folder.File("m.gguf");
  ASSERT_TRUE(ExportGguf(view, DType::kF32, path).ok());
  ThreadPool pool(1);
  const auto router = LocalRouter::Open(path, pool);
  ASSERT_TRUE(router.ok()) << router.status();
  EXPECT_THAT(MessageOf((*router)->Classify("hello").status()), HasSubstr("not finite"));
}

TEST(ExportModelTest, MatricesAreQuantisedAndVectorsAreNot) {
  const TemporaryFolder folder;
  ThreadPool pool(2);
  const SmallModel model(SmallSpec("qwen2"));
  struct Case {
    DType type;
    DType stored;  // rows of 64 and 96 are no blocks of 256
    uint64_t file_type;
    double tolerance;  // of a weight
  };
  for (const Case& c : {Case{DType::kQ8_0, DType::kQ8_0, 7, 0.01}, Case{DType::kQ4_0, DType::kQ4_0, 2, 0.1},
                        Case{DType::kF16, DType::kF16, 1, 1e-3}, Case{DType::kQ6_K, DType::kQ8_0, 18, 0.01}}) {
    const std::string path = folder.File("m.gguf");
    ASSERT_TRUE(ExportGguf(model.View(), c.type, path).ok());
    const auto weights = OpenGgufWeights(path);
    ASSERT_TRUE(weights.ok()) << weights.status();
    EXPECT_EQ((*weights)->head().FindTensor("blk.0.ffn_up.weight")->type, c.stored);
    EXPECT_EQ((*weights)->head().FindTensor("blk.0.ffn_norm.weight")->type, DType::kF32);
    EXPECT_EQ((*weights)->head().FindTensor("blk.0.attn_q.bias")->type, DType::kF32);
    EXPECT_EQ((*weights)->head().metadata().UintOr("general.file_type", 99), c.file_type);
    TrainingState state = EmptyState(model.layout);
    ASSERT_TRUE(ImportWeights(**weights, model.layout, state, pool).ok());
    double largest = 0;
    for (size_t i = 0; i < state.weights.size(); ++i) {
      largest = std::max(largest, std::fabs(double{state.weights[i]} - model.state.weights[i]));
    }
    EXPECT_LT(largest, c.tolerance);
    EXPECT_GT(largest, 0);
  }
}

TEST(ExportModelTest, RefusesWhatCannotBeServed) {
  const TemporaryFolder folder;
  const std::string path = folder.File("m.gguf");
  SmallModel model(SmallSpec("llama"));
  model.state.weights[model.layout.Find("blk.1.ffn_up.weight")->offset + 5] = std::numeric_limits<float>::infinity();
  EXPECT_THAT(MessageOf(ExportGguf(model.View(), DType::kF32, path).status()),
              HasSubstr("tensor 'blk.1.ffn_up.weight' holds values that are not finite"));
  ModelSpec spec = SmallSpec("llama");
  spec.vocab = 300;
  const SmallModel other(spec);
  EXPECT_THAT(MessageOf(ExportGguf(other.View(), DType::kF32, path).status()),
              HasSubstr("the vocabulary has 266 tokens, the model 300"));
  EXPECT_THAT(MessageOf(ExportGguf(SmallModel(SmallSpec("llama")).View(), DType::kF32, "/nonexistent/m").status()),
              HasSubstr("/nonexistent/m"));
  EXPECT_TRUE(folder.empty());
}

TEST(ImportModelTest, NamesTheTensorThatDoesNotFit) {
  const TemporaryFolder folder;
  ThreadPool pool(1);
  const SmallModel model(SmallSpec("llama", true));
  const std::string path = folder.File("m.gguf");
  ASSERT_TRUE(ExportGguf(model.View(), DType::kF32, path).ok());
  const auto weights = OpenGgufWeights(path);
  ASSERT_TRUE(weights.ok()) << weights.status();
  const auto refusal = [&](const ModelSpec& spec) {
    const ParameterLayout layout(spec);
    TrainingState state = EmptyState(layout);
    return ImportWeights(**weights, layout, state, pool);
  };
  EXPECT_EQ(refusal(SmallSpec("llama")).code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(MessageOf(refusal(SmallSpec("llama"))), HasSubstr("'output.weight'"));
  ModelSpec wider = SmallSpec("llama", true);
  wider.ffn = 128;
  EXPECT_THAT(MessageOf(refusal(wider)), HasSubstr("tensor 'blk.0.ffn_gate.weight' of the model has shape [64, 96], "
                                                   "the one to be trained [64, 128]"));
  TrainingState small;
  EXPECT_FALSE(ImportWeights(**weights, model.layout, small, pool).ok());

  enigma::testing::EditModel(path, folder.File("nan.gguf"), [](enigma::testing::EditableModel& edited) {
    auto& data = edited.Find("blk.1.ffn_norm.weight").data;
    data[6] = data[7] = 0xFF;
  });
  const auto damaged = OpenGgufWeights(folder.File("nan.gguf"));
  ASSERT_TRUE(damaged.ok()) << damaged.status();
  TrainingState state = EmptyState(model.layout);
  EXPECT_THAT(MessageOf(ImportWeights(**damaged, model.layout, state, pool)),
              HasSubstr("tensor 'blk.1.ffn_norm.weight' of the model holds values that are not finite"));
}

}  // namespace
}  // namespace enigma::engine
