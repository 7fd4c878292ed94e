#include "engine/spec/model_spec.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/test_data.h"
#include "tests/unit/engine/spec/gguf_bytes.h"

namespace enigma::engine {
namespace {

using ::testing::AllOf;
using testing::GgufBytes;
using ::testing::HasSubstr;

// A model of two layers in parts, so that a test can change one of them before it is written.
struct Parts {
  std::string architecture = "llama";
  std::map<std::string, uint32_t> sizes;
  std::map<std::string, float> floats;
  std::map<std::string, std::string> texts;
  std::map<std::string, std::vector<uint64_t>> tensors;
};

Parts Model(const std::string& architecture) {
  constexpr uint64_t kHidden = 16, kHeads = 4, kKvHeads = 2, kFfn = 24, kVocab = 10;
  const uint64_t head_dim = architecture == "qwen3" ? 8 : 4;
  const uint64_t queries = kHeads * head_dim, keys = kKvHeads * head_dim;
  Parts parts;
  parts.architecture = architecture;
  parts.sizes = {{"block_count", 2},          {"embedding_length", kHidden},
                 {"context_length", 64},      {"feed_forward_length", kFfn},
                 {"attention.head_count", 4}, {"attention.head_count_kv", kKvHeads}};
  if (architecture == "qwen3") parts.sizes["attention.key_length"] = parts.sizes["attention.value_length"] = 8;
  parts.floats = {{"attention.layer_norm_rms_epsilon", 1e-6F}, {"rope.freq_base", 500000.0F}};
  parts.tensors = {{"token_embd.weight", {kHidden, kVocab}},
                   {"output_norm.weight", {kHidden}},
                   {"output.weight", {kHidden, kVocab}}};
  for (const std::string layer : {"blk.0.", "blk.1."}) {
    parts.tensors[layer + "attn_norm.weight"] = {kHidden};
    parts.tensors[layer + "attn_q.weight"] = {kHidden, queries};
    parts.tensors[layer + "attn_k.weight"] = {kHidden, keys};
    parts.tensors[layer + "attn_v.weight"] = {kHidden, keys};
    parts.tensors[layer + "attn_output.weight"] = {queries, kHidden};
    parts.tensors[layer + "ffn_norm.weight"] = {kHidden};
    parts.tensors[layer + "ffn_gate.weight"] = {kHidden, kFfn};
    parts.tensors[layer + "ffn_up.weight"] = {kHidden, kFfn};
    parts.tensors[layer + "ffn_down.weight"] = {kFfn, kHidden};
    if (architecture == "qwen2") {
      parts.tensors[layer + "attn_q.bias"] = {queries};
      parts.tensors[layer + "attn_k.bias"] = {keys};
      parts.tensors[layer + "attn_v.bias"] = {keys};
    }
    if (architecture == "qwen3") {
      parts.tensors[layer + "attn_q_norm.weight"] = {head_dim};
      parts.tensors[layer + "attn_k_norm.weight"] = {head_dim};
    }
  }
  return parts;
}

constexpr uint32_t kFloats = 0, kHalves = 1;  // as files number types

// Tensors are f32, but for the rotation's divisors; all data are zeros.
GgufBytes BytesOf(const Parts& parts, uint32_t divisors_type) {
  GgufBytes bytes;
  bytes.Header(parts.tensors.size(), 1 + parts.sizes.size() + parts.floats.size() + parts.texts.size());
  bytes.TextPair("general.architecture", parts.architecture);
  const auto key = [&](const std::string& suffix) { return parts.architecture + "." + suffix; };
  for (const auto& [suffix, value] : parts.sizes) bytes.UintPair(key(suffix), value);
  for (const auto& [suffix, value] : parts.floats) bytes.FloatPair(key(suffix), value);
  for (const auto& [suffix, value] : parts.texts) bytes.TextPair(key(suffix), value);
  uint64_t offset = 0;
  for (const auto& [name, shape] : parts.tensors) {
    bytes.Text(name).U32(static_cast<uint32_t>(shape.size()));
    uint64_t elements = 1;
    for (const uint64_t extent : shape) {
      bytes.U64(extent);
      elements *= extent;
    }
    bytes.U32(name == "rope_freqs.weight" ? divisors_type : kFloats).U64(offset);
    offset += (elements * 4 + 31) / 32 * 32;
  }
  bytes.Data(offset);
  return bytes;
}

absl::StatusOr<ModelSpec> SpecOf(const Parts& parts) {
  const GgufBytes bytes = BytesOf(parts, kFloats);
  const auto file = GgufFile::ParseHead(bytes.bytes(), bytes.size(), "m.gguf");
  if (!file.ok()) return file.status();
  return ModelSpecFromGguf(**file);
}

std::string ErrorOf(const Parts& parts) {
  const auto spec = SpecOf(parts);
  if (spec.ok()) return "no error";
  return std::string(spec.status().message().data(), spec.status().message().size());
}

TEST(ModelSpecTest, ReadsLlama) {
  const auto spec = SpecOf(Model("llama"));
  ASSERT_TRUE(spec.ok()) << spec.status();
  EXPECT_EQ(spec->architecture, "llama");
  EXPECT_EQ(spec->layer_count(), 2U);
  EXPECT_EQ(spec->hidden, 16U);
  EXPECT_EQ(spec->heads, 4U);
  EXPECT_EQ(spec->kv_heads, 2U);
  EXPECT_EQ(spec->head_dim, 4U);
  EXPECT_EQ(spec->ffn, 24U);
  EXPECT_EQ(spec->vocab, 10U);
  EXPECT_EQ(spec->context, 64U);
  EXPECT_EQ(spec->norm_epsilon, 1e-6F);
  EXPECT_EQ(spec->rope.theta, 500000.0);
  EXPECT_EQ(spec->rope.dimensions, 4U);
  EXPECT_EQ(spec->rope.pairing, RopePairing::kAdjacent);
  EXPECT_EQ(spec->rope.scaling, RopeScaling::kNone);
  EXPECT_FALSE(spec->qkv_bias);
  EXPECT_FALSE(spec->qk_norm);
  EXPECT_FALSE(spec->tied_embeddings);
  EXPECT_EQ(spec->layers[0].attention, AttentionKind::kFull);
}

TEST(ModelSpecTest, ReadsQwen2WithBiases) {
  const auto spec = SpecOf(Model("qwen2"));
  ASSERT_TRUE(spec.ok()) << spec.status();
  EXPECT_TRUE(spec->qkv_bias);
  EXPECT_FALSE(spec->qk_norm);
  EXPECT_EQ(spec->rope.pairing, RopePairing::kHalves);
}

TEST(ModelSpecTest, ReadsQwen3WithNormsAndItsOwnHeadSize) {
  const auto spec = SpecOf(Model("qwen3"));
  ASSERT_TRUE(spec.ok()) << spec.status();
  EXPECT_FALSE(spec->qkv_bias);
  EXPECT_TRUE(spec->qk_norm);
  EXPECT_EQ(spec->head_dim, 8U);
  EXPECT_EQ(spec->rope.dimensions, 8U);
  EXPECT_EQ(spec->rope.pairing, RopePairing::kHalves);
}

TEST(ModelSpecTest, ReadsWhatVariesAmongLlamas) {
  Parts parts = Model("llama");
  parts.tensors.erase("output.weight");
  parts.tensors["rope_freqs.weight"] = {2};
  parts.sizes["attention.sliding_window"] = 16;
  parts.sizes.erase("attention.head_count_kv");
  for (const std::string layer : {"blk.0.", "blk.1."}) {
    for (const std::string part : {"attn_k", "attn_v"}) parts.tensors[layer + part + ".weight"] = {16, 16};
    for (const std::string part : {"attn_q", "attn_k", "attn_v"}) parts.tensors[layer + part + ".bias"] = {16};
  }
  const auto spec = SpecOf(parts);
  ASSERT_TRUE(spec.ok()) << spec.status();
  EXPECT_TRUE(spec->tied_embeddings);
  EXPECT_TRUE(spec->qkv_bias);
  EXPECT_EQ(spec->kv_heads, 4U);
  EXPECT_EQ(spec->layers[1].attention, AttentionKind::kWindowed);
  EXPECT_EQ(spec->layers[1].window, 16U);

  parts.sizes["attention.sliding_window"] = 64;  // the whole context
  EXPECT_EQ(SpecOf(parts)->layers[0].attention, AttentionKind::kFull);
}

TEST(ModelSpecTest, DivisorsOfTheRotationComeWithTheTensors) {
  const std::string path = ::testing::TempDir() + "enigma-model-spec-" + std::to_string(::getpid()) + ".gguf";
  const auto whole = [&](const Parts& parts, uint32_t divisors_type) {
    const GgufBytes bytes = BytesOf(parts, divisors_type);
    std::ofstream(path, std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes.bytes().data()), static_cast<std::streamsize>(bytes.size()));
    return WholeSpecFromGguf(**GgufFile::Open(path));
  };
  Parts parts = Model("llama");
  EXPECT_TRUE(whole(parts, kFloats)->rope.frequency_factors.empty());
  parts.tensors["rope_freqs.weight"] = {2};
  EXPECT_EQ(whole(parts, kFloats)->rope.frequency_factors, std::vector<float>(2, 0.0F)) << "all data are zeros";
  EXPECT_TRUE(SpecOf(parts)->rope.frequency_factors.empty()) << "a head alone does not tell";
  EXPECT_THAT(std::string(whole(parts, kHalves).status().message()), HasSubstr("'rope_freqs.weight' is f16"));
  std::filesystem::remove(path);
}

TEST(ModelSpecTest, ReadsRopeScaling) {
  Parts parts = Model("llama");
  parts.floats["rope.scale_linear"] = 4.0F;
  EXPECT_EQ(SpecOf(parts)->rope.scaling, RopeScaling::kLinear);
  EXPECT_EQ(SpecOf(parts)->rope.factor, 4.0);

  parts = Model("llama");
  parts.floats["rope.scaling.factor"] = 8.0F;
  parts.sizes["rope.scaling.original_context_length"] = 32;
  const std::pair<const char*, RopeScaling> kinds[] = {{"none", RopeScaling::kNone},
                                                       {"linear", RopeScaling::kLinear},
                                                       {"yarn", RopeScaling::kYarn},
                                                       {"llama3", RopeScaling::kLlama3}};
  for (const auto& [name, kind] : kinds) {
    parts.texts["rope.scaling.type"] = name;
    const auto spec = SpecOf(parts);
    ASSERT_TRUE(spec.ok()) << spec.status();
    EXPECT_EQ(spec->rope.scaling, kind) << name;
    if (kind == RopeScaling::kNone) continue;
    EXPECT_EQ(spec->rope.factor, 8.0);
    EXPECT_EQ(spec->rope.original_context, 32U);
  }
}

TEST(ModelSpecTest, NamesWhatIsWrong) {
  struct Case {
    std::function<void(Parts&)> change;
    std::vector<const char*> said;
    const char* architecture = "llama";
  };
  const std::vector<Case> cases = {
      {[](Parts& p) { p.sizes.erase("block_count"); }, {"'llama.block_count' is missing"}},
      {[](Parts& p) { p.sizes["block_count"] = 0; }, {"llama.block_count", "outside"}},
      {[](Parts& p) { p.sizes["block_count"] = 1 << 20; }, {"llama.block_count", "only 21 tensors"}},
      {[](Parts& p) { p.sizes["block_count"] = 3; }, {"'blk.2.attn_norm.weight' is missing"}},
      {[](Parts& p) { p.sizes["block_count"] = 1; }, {"'blk.1.", "wrong answers"}},
      {[](Parts& p) { p.sizes["embedding_length"] = UINT32_MAX; }, {"llama.embedding_length", "outside"}},
      {[](Parts& p) { p.sizes["embedding_length"] = 24; }, {"'token_embd.weight'", "[16, 10]", "[24, 10]"}},
      {[](Parts& p) { p.sizes["attention.head_count"] = 3; }, {"llama.attention.head_count", "evenly"}},
      {[](Parts& p) { p.sizes["attention.head_count_kv"] = 3; }, {"llama.attention.head_count", "evenly"}},
      {[](Parts& p) { p.sizes["attention.head_count_kv"] = 1; }, {"'blk.0.attn_k.weight'", "[16, 8]", "[16, 4]"}},
      {[](Parts& p) { p.sizes["attention.value_length"] = 2; }, {"llama.attention.value_length", "equal lengths"}},
      {[](Parts& p) { p.sizes["rope.dimension_count"] = 3; }, {"llama.rope.dimension_count", "even"}},
      {[](Parts& p) { p.sizes["rope.dimension_count"] = 6; }, {"llama.rope.dimension_count", "up to"}},
      {[](Parts& p) { p.floats["rope.freq_base"] = -1.0F; }, {"llama.rope.freq_base", "no positive number"}},
      {[](Parts& p) { p.floats["attention.layer_norm_rms_epsilon"] = 0.0F; }, {"rms_epsilon", "no positive"}},
      {[](Parts& p) { p.texts["rope.scaling.type"] = "longrope"; }, {"llama.rope.scaling.type", "'longrope'"}},
      {[](Parts& p) { p.floats["rope.scaling.attn_factor"] = 1.2F; }, {"llama.rope.scaling.attn_factor"}},
      {[](Parts& p) { p.floats["rope.scaling.yarn_beta_fast"] = 16.0F; }, {"yarn_beta_fast: 16", "only 32"}},
      {[](Parts& p) { p.sizes["expert_count"] = 8; }, {"llama.expert_count is 8", "mixture of experts"}},
      {[](Parts& p) { p.tensors.erase("token_embd.weight"); }, {"'token_embd.weight' is missing"}},
      {[](Parts& p) { p.tensors.clear(); }, {"only 0 tensors"}},
      {[](Parts& p) { p.tensors.erase("blk.1.ffn_up.weight"); }, {"'blk.1.ffn_up.weight' is missing"}},
      {[](Parts& p) {
         p.tensors["blk.1.ffn_up.weight"] = {24, 16};
       },
       {"'blk.1.ffn_up.weight'", "[24, 16]"}},
      {[](Parts& p) {
         p.tensors["output.weight"] = {16, 11};
       },
       {"'output.weight'", "[16, 11]", "[16, 10]"}},
      {[](Parts& p) { p.tensors["rope_freqs.weight"] = {3}; }, {"'rope_freqs.weight'", "[3]"}},
      {[](Parts& p) { p.tensors["blk.0.attn_output.bias"] = {16}; }, {"'blk.0.attn_output.bias'", "wrong answers"}},
      {[](Parts& p) { p.tensors.erase("blk.0.attn_k.bias"); }, {"'blk.0.attn_k.bias' is missing"}, "qwen2"},
      {[](Parts& p) { p.sizes["attention.sliding_window"] = 8; }, {"qwen2.attention.sliding_window"}, "qwen2"},
      {[](Parts& p) { p.tensors.erase("blk.1.attn_q_norm.weight"); }, {"'blk.1.attn_q_norm.weight'"}, "qwen3"},
      {[](Parts& p) { p.architecture = "gpt2"; }, {"'gpt2' is not supported", "llama, qwen2, qwen3"}},
  };
  for (const Case& c : cases) {
    Parts parts = Model(c.architecture);
    c.change(parts);
    const std::string error = ErrorOf(parts);
    EXPECT_THAT(error, HasSubstr("m.gguf: "));
    for (const char* said : c.said) EXPECT_THAT(error, HasSubstr(said));
  }
}

TEST(ModelSpecTest, SaysThatAPartIsNoWholeModel) {
  GgufBytes bytes;
  bytes.Header(0, 2).TextPair("general.architecture", "llama").UintPair("split.count", 3);
  const auto file = GgufFile::ParseHead(bytes.bytes(), bytes.size(), "m.gguf");
  ASSERT_TRUE(file.ok()) << file.status();
  const auto spec = ModelSpecFromGguf(**file);
  ASSERT_FALSE(spec.ok());
  EXPECT_THAT(std::string(spec.status().message().data(), spec.status().message().size()), HasSubstr("one of 3 parts"));
}

TEST(ModelSpecTest, ReadsTheTrainedModelsOfTheSharedData) {
  struct Case {
    const char* path;
    uint32_t layers, heads, kv_heads;
  };
  for (const Case& c : {Case{"models/stories260K-f32.gguf", 5, 8, 4}, Case{"models/aidreams260K-f32.gguf", 4, 4, 4}}) {
    ENIGMA_REQUIRE_DATA(path, c.path);
    const auto file = GgufFile::Open(path);
    ASSERT_TRUE(file.ok()) << file.status();
    const auto spec = ModelSpecFromGguf(**file);
    ASSERT_TRUE(spec.ok()) << spec.status();
    EXPECT_EQ(spec->layer_count(), c.layers);
    EXPECT_EQ(spec->hidden, 64U);
    EXPECT_EQ(spec->heads, c.heads);
    EXPECT_EQ(spec->kv_heads, c.kv_heads);
    EXPECT_EQ(spec->vocab, 512U);
  }
}

TEST(ModelSpecTest, SaysThatAVocabularyIsNoModel) {
  ENIGMA_REQUIRE_DATA(path, "tokenizers/ggml-vocab-llama-spm.gguf");
  const auto file = GgufFile::Open(path);
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_FALSE(ModelSpecFromGguf(**file).ok());
}

}  // namespace
}  // namespace enigma::engine
