#include <filesystem>
#include <fstream>
#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "engine/checkpoint/safetensors.h"
#include "engine/training/export_model.h"
#include "engine/weights/synth_plan.h"
#include "tests/support/message_of.h"
#include "tests/support/test_data.h"
#include "tests/unit/engine/training/small_models.h"
#include "tests/unit/engine/weights/temporary_folder.h"

namespace enigma::engine {
namespace {

using ::enigma::testing::MessageOf;

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::SmallModel;
using testing::SmallSpec;
using testing::TemporaryFolder;
using Json = nlohmann::json;

Json JsonIn(const std::string& path) { return Json::parse(enigma::testing::ReadFileOrDie(path)); }

std::vector<float> FloatsOf(const SafetensorsFile& file, const std::string& name) {
  const SafetensorsTensor* tensor = file.Find(name);
  if (tensor == nullptr) return {};
  const auto* data = reinterpret_cast<const float*>(file.Data(*tensor).data());
  return {data, data + tensor->bytes / sizeof(float)};
}

std::vector<float> FloatsOf(const SmallModel& model, const std::string& name) {
  const Parameter* parameter = model.layout.Find(name);
  const float* data = model.state.weights.data() + parameter->offset;
  return {data, data + parameter->count};
}

TEST(ExportHuggingFaceTest, TensorsHaveThatLibrarysNamesAndRows) {
  const TemporaryFolder folder;
  for (const char* architecture : {"llama", "qwen2", "qwen3"}) {
    const SmallModel model(SmallSpec(architecture));
    const std::string path = folder.File(architecture);
    const auto made = ExportHuggingFace(model.View(), path);
    ASSERT_TRUE(made.ok()) << made.status();
    EXPECT_THAT(made->notes, IsEmpty());
    const auto file = SafetensorsFile::Open(path + "/model.safetensors");
    ASSERT_TRUE(file.ok()) << file.status();
    EXPECT_EQ((*file)->metadata().at("format"), "pt");
    EXPECT_EQ((*file)->tensors().size(), model.layout.parameters().size());
    EXPECT_EQ(FloatsOf(**file, "model.embed_tokens.weight"), FloatsOf(model, "token_embd.weight"));
    EXPECT_EQ(FloatsOf(**file, "lm_head.weight"), FloatsOf(model, "output.weight"));
    EXPECT_EQ(FloatsOf(**file, "model.layers.1.mlp.down_proj.weight"), FloatsOf(model, "blk.1.ffn_down.weight"));
    EXPECT_THAT((*file)->Find("model.layers.1.mlp.down_proj.weight")->shape, ElementsAre(64, 96));
    EXPECT_EQ(FloatsOf(**file, "model.layers.0.self_attn.v_proj.weight"), FloatsOf(model, "blk.0.attn_v.weight"));
    if (model.spec.qkv_bias) {
      EXPECT_EQ(FloatsOf(**file, "model.layers.0.self_attn.k_proj.bias"), FloatsOf(model, "blk.0.attn_k.bias"));
    }
    if (model.spec.qk_norm) {
      EXPECT_EQ(FloatsOf(**file, "model.layers.0.self_attn.q_norm.weight"),
                FloatsOf(model, "blk.0.attn_q_norm.weight"));
    }
    // Pair i of a llama's head is rows 2 i and 2 i + 1 here, and i and i + 8 there; the others have the latter here.
    const std::vector<float> here = FloatsOf(model, "blk.1.attn_k.weight");
    const std::vector<float> there = FloatsOf(**file, "model.layers.1.self_attn.k_proj.weight");
    ASSERT_EQ(here.size(), there.size());
    const size_t head = model.spec.head_dim;
    for (size_t row = 0; row < 2 * head; ++row) {
      const size_t in_head = row % head;
      const size_t moved = row - in_head + in_head / 2 + (in_head % 2) * head / 2;
      const size_t target = std::string(architecture) == "llama" ? moved : row;
      EXPECT_TRUE(std::equal(&here[row * 64], &here[row * 64] + 64, &there[target * 64])) << architecture << row;
    }
  }
}

TEST(ExportHuggingFaceTest, TheConfigurationSaysTheShape) {
  const TemporaryFolder folder;
  ModelSpec spec = SmallSpec("llama", true);
  spec.rope.scaling = RopeScaling::kLinear;
  spec.rope.factor = 2;
  ASSERT_TRUE(ExportHuggingFace(SmallModel(spec).View(), folder.File("m")).ok());
  const Json config = JsonIn(folder.File("m/config.json"));
  EXPECT_EQ(config["architectures"], Json::array({"LlamaForCausalLM"}));
  EXPECT_EQ(config["model_type"], "llama");
  EXPECT_EQ(config["hidden_size"], 64);
  EXPECT_EQ(config["intermediate_size"], 96);
  EXPECT_EQ(config["num_hidden_layers"], 2);
  EXPECT_EQ(config["num_attention_heads"], 4);
  EXPECT_EQ(config["num_key_value_heads"], 2);
  EXPECT_EQ(config["head_dim"], 16);
  EXPECT_EQ(config["vocab_size"], 266);
  EXPECT_EQ(config["max_position_embeddings"], 128);
  EXPECT_EQ(config["rms_norm_eps"].get<float>(), 1e-6F);
  EXPECT_EQ(config["rope_theta"], 50000.0);
  EXPECT_EQ(config["rope_scaling"], (Json{{"rope_type", "linear"}, {"factor", 2.0}}));
  EXPECT_EQ(config["tie_word_embeddings"], true);
  EXPECT_EQ(config["eos_token_id"], 262);
  EXPECT_EQ(config["pad_token_id"], nullptr);
  EXPECT_EQ(JsonIn(folder.File("m/generation_config.json")), (Json{{"bos_token_id", 262}, {"eos_token_id", {262}}}));
  EXPECT_EQ(SafetensorsFile::Open(folder.File("m/model.safetensors")).value()->Find("lm_head.weight"), nullptr);
  EXPECT_FALSE(std::filesystem::exists(folder.File("m.partial")));
}

TEST(ExportHuggingFaceTest, TheTokenizerIsWritten) {
  const TemporaryFolder folder;
  SmallModel model(SmallSpec("llama"));
  model.tokenizer.Set("tokenizer.chat_template", std::string("{{ messages }}"));
  model.tokenizer.Set("tokenizer.ggml.add_bos_token", true);
  ASSERT_TRUE(ExportHuggingFace(model.View(), folder.File("m")).ok());
  const Json tokenizer = JsonIn(folder.File("m/tokenizer.json"));
  EXPECT_EQ(tokenizer["model"]["type"], "BPE");
  EXPECT_EQ(tokenizer["model"]["vocab"].size(), 262U);
  EXPECT_EQ(tokenizer["model"]["vocab"]["hello"], testing::kBpHello);
  EXPECT_EQ(tokenizer["model"]["vocab"]["\u0120he"], testing::kBpSpaceHe);
  EXPECT_EQ(tokenizer["model"]["merges"][4], "\u0120 he");
  EXPECT_EQ(tokenizer["added_tokens"].size(), 4U);
  EXPECT_EQ(tokenizer["added_tokens"][0]["content"], "<|endoftext|>");
  EXPECT_EQ(tokenizer["added_tokens"][0]["special"], true);
  EXPECT_EQ(tokenizer["added_tokens"][1]["special"], false);
  EXPECT_EQ(tokenizer["pre_tokenizer"]["pretokenizers"].size(), 2U);
  EXPECT_EQ(tokenizer["pre_tokenizer"]["pretokenizers"][0]["type"], "Split");
  EXPECT_EQ(tokenizer["post_processor"]["single"][0]["SpecialToken"]["id"], "<|endoftext|>");
  EXPECT_EQ(tokenizer["post_processor"]["special_tokens"]["<|endoftext|>"]["ids"], Json::array({262}));
  const Json config = JsonIn(folder.File("m/tokenizer_config.json"));
  EXPECT_EQ(config["chat_template"], "{{ messages }}");
  EXPECT_EQ(config["eos_token"], "<|endoftext|>");
  EXPECT_EQ(config["model_max_length"], 128);
}

TEST(ExportHuggingFaceTest, AnotherKindOfVocabularyIsLeftOutAndNamed) {
  const TemporaryFolder folder;
  ModelSpec spec = SmallSpec("llama");
  spec.vocab = 400;
  SmallModel model(spec);
  model.tokenizer = {};
  AddSynthVocabulary(400, model.tokenizer);
  const auto made = ExportHuggingFace(model.View(), folder.File("m"));
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_THAT(made->notes, ElementsAre(HasSubstr("no tokenizer was written: ")));
  EXPECT_FALSE(std::filesystem::exists(folder.File("m/tokenizer.json")));
}

TEST(ExportHuggingFaceTest, RefusesWhatThatLibraryCannotDescribe) {
  const TemporaryFolder folder;
  const auto refusal = [&](const ModelSpec& spec) {
    const absl::Status status = ExportHuggingFace(SmallModel(spec).View(), folder.File("m")).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kUnimplemented);
    return MessageOf(status);
  };
  ModelSpec spec = SmallSpec("llama");
  spec.qkv_bias = true;
  EXPECT_THAT(refusal(spec), HasSubstr("biases"));
  spec = SmallSpec("llama");
  spec.rope.dimensions = 8;
  EXPECT_THAT(refusal(spec), HasSubstr("a part of each head"));
  spec = SmallSpec("llama");
  spec.rope.frequency_factors.assign(8, 2);
  EXPECT_THAT(refusal(spec), HasSubstr("divisors"));
  EXPECT_TRUE(folder.empty());
}

TEST(ExportHuggingFaceTest, AnExistingFolderStays) {
  const TemporaryFolder folder;
  std::filesystem::create_directory(folder.File("m"));
  const SmallModel model(SmallSpec("llama"));
  EXPECT_EQ(ExportHuggingFace(model.View(), folder.File("m")).status().code(), absl::StatusCode::kAlreadyExists);
  EXPECT_TRUE(std::filesystem::is_empty(folder.File("m")));
}

}  // namespace
}  // namespace enigma::engine
