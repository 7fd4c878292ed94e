#include "engine/weights/synth.h"

#include <cmath>
#include <set>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/kernels/dequantise.h"
#include "engine/spec/model_spec.h"
#include "engine/weights/synth_noise.h"
#include "engine/weights/synth_plan.h"
#include "tests/support/message_of.h"
#include "tests/support/test_data.h"
#include "tests/unit/engine/weights/temporary_folder.h"

namespace enigma::engine {
namespace {

using ::enigma::testing::MessageOf;

using ::testing::HasSubstr;
using testing::TemporaryFolder;

struct Moments {
  double mean = 0, deviation = 0;
};

Moments MomentsOf(std::span<const float> values) {
  double sum = 0, squares = 0;
  for (const float value : values) {
    sum += value;
    squares += double{value} * value;
  }
  const double count = static_cast<double>(values.size());
  return {sum / count, std::sqrt(squares / count - sum * sum / count / count)};
}

#ifdef ENIGMA_SANITIZED
constexpr const char* kFamilies[] = {"tiny-qwen3"};  // the family with the most kinds of tensors; all three take 20 s
#else
constexpr const char* kFamilies[] = {"tiny", "tiny-qwen2", "tiny-qwen3"};
#endif

TEST(SynthTest, EveryTypeOfEveryFamilyLoadsWithWeightsOfTheStatedDeviation) {
  const TemporaryFolder folder;
  for (const std::string shape : kFamilies) {
    for (const std::string& type : SynthTypeNames()) {
      SCOPED_TRACE(shape + " " + type);
      const std::string path = folder.File(shape + "-" + type + ".gguf");
      const auto bytes = SynthesiseModel(shape, type, path);
      ASSERT_TRUE(bytes.ok()) << bytes.status();
      EXPECT_EQ(*bytes, std::filesystem::file_size(path));
      const auto file = GgufFile::Open(path);
      ASSERT_TRUE(file.ok()) << file.status();
      const auto spec = ModelSpecFromGguf(**file);
      ASSERT_TRUE(spec.ok()) << spec.status();
      EXPECT_EQ(spec->layer_count(), 4U);
      EXPECT_EQ(spec->vocab, 512U);

      const TensorInfo* tensor = (*file)->FindTensor("blk.1.ffn_up.weight");
      EXPECT_EQ(tensor->type, type == "q4_k_m" ? DType::kQ4_K : *DTypeFromName(type));
      std::vector<float> values(tensor->shape[0] * tensor->shape[1]);
      Dequantise(tensor->type, (*file)->TensorData(*tensor).data(), values.size(), values.data());
      const Moments moments = MomentsOf(values);
      EXPECT_NEAR(moments.mean, 0.0, 0.001);
      EXPECT_NEAR(moments.deviation, kSynthDeviation, 0.001);
      std::filesystem::remove(path);
    }
  }
}

TEST(SynthTest, TheSeedDecidesTheBytes) {
  const TemporaryFolder folder;
  const auto content = [&](uint64_t seed) {
    const std::string path = folder.File("m.gguf");
    EXPECT_TRUE(SynthesiseModel("tiny", "q4_0", path, {.seed = seed, .progress = nullptr}).ok());
    return enigma::testing::ReadFileOrDie(path);
  };
  const std::string first = content(1);
  EXPECT_EQ(first, content(1));
  EXPECT_NE(first, content(2));
}

TEST(SynthTest, PooledRowsAreAllDifferentAndIndependentOfTheChunks) {
  for (const DType type : {DType::kQ4_0, DType::kQ4_K, DType::kF16}) {
    constexpr uint64_t kRow = 512, kRows = 20000;
    const uint64_t row_bytes = RowBytes(type, kRow);
    std::vector<uint8_t> whole(kRows * row_bytes);
    NoiseRows(3, true).Fill(type, 5, kRow, 0, kRows, whole);
    std::set<std::string_view> distinct;
    for (uint64_t r = 0; r < kRows; ++r) {
      distinct.emplace(reinterpret_cast<const char*>(whole.data() + r * row_bytes), row_bytes);
    }
    EXPECT_EQ(distinct.size(), kRows) << Traits(type).name;
    std::vector<uint8_t> part(7 * row_bytes);
    NoiseRows(3, true).Fill(type, 5, kRow, 9000, 7, part);
    EXPECT_TRUE(std::equal(part.begin(), part.end(), whole.begin() + static_cast<std::ptrdiff_t>(9000 * row_bytes)));
  }
}

TEST(SynthTest, TheMixKeepsSomeMatricesFiner) {
  const SynthShape* shape = nullptr;
  for (const SynthShape& s : SynthShapes()) {
    if (std::string_view(s.name) == "tinyllama-1.1b") shape = &s;
  }
  ASSERT_NE(shape, nullptr);
  int finer_values = 0, finer_downs = 0;
  for (const TensorPlan& tensor : SynthTensors(*shape, WeightTypes().back())) {
    const bool finer = tensor.type == DType::kQ6_K;
    const std::string& name = tensor.name;
    if (name == "output.weight") {
      EXPECT_TRUE(finer);
    } else if (name.ends_with("attn_v.weight")) {
      finer_values += finer ? 1 : 0;
    } else if (name.ends_with("ffn_down.weight")) {
      finer_downs += finer ? 1 : 0;
    } else {
      EXPECT_EQ(tensor.type, tensor.shape.size() == 1 ? DType::kF32 : DType::kQ4_K) << name;
    }
  }
  EXPECT_EQ(finer_values, 10);
  EXPECT_EQ(finer_downs, 10);
}

TEST(SynthTest, RowsThatAreNoWholeBlocksFallBackToQ8) {
  for (const SynthShape& shape : SynthShapes()) {
    if (std::string_view(shape.name) != "27m") continue;
    for (const TensorPlan& tensor : SynthTensors(shape, WeightTypes().back())) {
      if (tensor.name == "token_embd.weight") {
        EXPECT_EQ(tensor.type, DType::kQ6_K);  // the output matrix as well, being tied
      }
      if (tensor.name.ends_with("ffn_down.weight")) {
        EXPECT_EQ(tensor.type, DType::kQ8_0);
      }
    }
  }
}

TEST(SynthTest, VocabulariesHaveTheirSizeAndNoPieceTwice) {
  for (const uint32_t size : {259U, 512U, 8192U, 128256U}) {
    GgufMetadata metadata;
    AddSynthVocabulary(size, metadata);
    const auto* tokens = metadata.Array("tokenizer.ggml.tokens").value();
    EXPECT_EQ(tokens->strings.size(), size);
    EXPECT_EQ(metadata.Array("tokenizer.ggml.scores").value()->floats.size(), size);
    EXPECT_EQ(metadata.Array("tokenizer.ggml.token_type").value()->integers.size(), size);
    EXPECT_EQ(std::set<std::string>(tokens->strings.begin(), tokens->strings.end()).size(), size);
    EXPECT_EQ(tokens->strings[3 + 0x41], "<0x41>");
  }
}

TEST(SynthTest, UnknownNamesListTheKnownOnes) {
  const TemporaryFolder folder;
  EXPECT_THAT(MessageOf(SynthesiseModel("70b", "q4_0", folder.File("m")).status()), HasSubstr("tinyllama-1.1b"));
  EXPECT_THAT(MessageOf(SynthesiseModel("tiny", "q2_k", folder.File("m")).status()), HasSubstr("q4_k_m"));
  EXPECT_TRUE(folder.empty());
}

}  // namespace
}  // namespace enigma::engine
