#include "engine/training/export_adapter.h"

#include <cmath>
#include <cstring>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/spec/gguf.h"
#include "engine/training/parameters.h"
#include "tests/unit/engine/training/small_models.h"
#include "tests/unit/engine/weights/temporary_folder.h"

namespace enigma::engine {
namespace {

using ::testing::HasSubstr;
using testing::TemporaryFolder;

TEST(ExportAdapterTest, HoldsTheFactorsAndTheirWeight) {
  const TemporaryFolder folder;
  TrainingConfig config;
  config.spec = testing::SmallSpec("qwen3");
  config.base_model = "base";
  config.lora = {.rank = 3, .alpha = 5, .targets = {"attn_k", "ffn_down"}};
  const ParameterLayout layout = ParameterLayout::OfJob(config);
  TrainingState state = InitialState(config.spec, layout, 2);
  for (size_t i = 0; i < state.weights.size(); ++i) state.weights[i] += static_cast<float>(i);
  const std::string path = folder.File("adapter.gguf");
  const auto bytes = ExportAdapter(config, state.weights.data(), path);
  ASSERT_TRUE(bytes.ok()) << bytes.status();
  const auto file = GgufFile::Open(path);
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ((*file)->file_size(), *bytes);
  EXPECT_EQ(*(*file)->metadata().String("general.type"), "adapter");
  EXPECT_EQ(*(*file)->metadata().String("general.architecture"), "qwen3");
  EXPECT_EQ(*(*file)->metadata().String("adapter.type"), "lora");
  EXPECT_EQ(*(*file)->metadata().Float("adapter.lora.alpha"), 5);
  ASSERT_EQ((*file)->tensors().size(), 2U * 2 * 2);
  for (const Parameter& parameter : layout.parameters()) {
    const TensorInfo* tensor = (*file)->FindTensor(parameter.name);
    ASSERT_NE(tensor, nullptr) << parameter.name;
    EXPECT_EQ(tensor->shape, parameter.shape);
    EXPECT_EQ(std::memcmp((*file)->TensorData(*tensor).data(), state.weights.data() + parameter.offset,
                          parameter.count * sizeof(float)),
              0);
  }
  state.weights[layout.parameters()[2].offset] = std::nanf("");
  EXPECT_THAT(std::string(ExportAdapter(config, state.weights.data(), path).status().message()),
              HasSubstr("blk.0.ffn_down.weight.lora_a"));
  config.lora.rank = 0;
  EXPECT_FALSE(ExportAdapter(config, state.weights.data(), path).ok());
}

}  // namespace
}  // namespace enigma::engine
