#include "engine/spec/vision_presets.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/spec/training_presets.h"

namespace enigma::engine {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(VisionPresets, GoWithADecoderOfTheirNameWhateverThePicturesSize) {
  for (const VisionPreset& preset : VisionPresets()) {
    const auto decoder = FindTrainingPreset(preset.name);
    ASSERT_TRUE(decoder.ok()) << preset.name;
    for (const uint32_t size : {32U, 64U, 128U}) {
      ASSERT_TRUE(CheckImageSize(size).ok());
      TrainingConfig config;
      config.spec = SpecOfPreset(*decoder, 512, 128, true);
      config.context = 128;
      config.steps = 1;
      config.pictures.encoder = SpecOfVisionPreset(preset, size, decoder->hidden);
      EXPECT_TRUE(CheckTrainingConfig(config).ok()) << CheckTrainingConfig(config);
      EXPECT_EQ(config.pictures.encoder.prefix(), 16U) << preset.name << " " << size;
    }
  }
}

TEST(VisionPresets, HaveTheSizesTheyAreSaidToHave) {
  const auto thousands = [](const char* name) {
    const uint32_t output = FindTrainingPreset(name)->hidden;
    return static_cast<double>(VisionParameterCount(SpecOfVisionPreset(*FindVisionPreset(name), 64, output))) / 1e3;
  };
  EXPECT_NEAR(thousands("nano"), 692.5, 0.1);
  EXPECT_NEAR(thousands("micro"), 1029.8, 0.1);
  EXPECT_NEAR(thousands("tiny"), 2164.2, 0.1);
  EXPECT_NEAR(thousands("small"), 5750.3, 0.1);
  EXPECT_THAT(SpecOfVisionPreset(*FindVisionPreset("nano"), 64, 128).stem, ElementsAre(32, 64, 128));
  EXPECT_THAT(SpecOfVisionPreset(*FindVisionPreset("nano"), 32, 128).stem, ElementsAre(64, 128));
}

TEST(VisionPresets, SaySoOfWhatThereIsNot) {
  EXPECT_THAT(std::string(FindVisionPreset("xl").status().message()), HasSubstr("\"xl\"; there are those for nano"));
  for (const uint32_t size : {0U, 16U, 48U, 256U}) {
    EXPECT_THAT(std::string(CheckImageSize(size).message()), HasSubstr("32, 64 or 128")) << size;
  }
}

TEST(VisionPresets, CountOperationsAsTheFormulaSays) {
  VisionSpec spec;
  spec.image_size = 4;
  spec.stem = {8};
  spec.hidden = 16;
  spec.ffn = 24;
  spec.layers = 1;
  spec.merge = 2;
  spec.output = 32;
  // Four patches, one row.
  const double weights = 4.0 * 27 * 8 + 4.0 * 8 * 16 + 4.0 * (4 * 16 * 16 + 3 * 16 * 24) + 64.0 * 32 + 32.0 * 32;
  EXPECT_DOUBLE_EQ(VisionTrainingFlops(spec), 6 * weights + 12.0 * 16 * 4 * 4);
}

}  // namespace
}  // namespace enigma::engine
