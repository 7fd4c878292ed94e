#include "eval/scenes/scene_picture.h"

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "engine/image/decode_image.h"
#include "engine/spec/manifest.h"
#include "eval/scenes/scene_captions.h"
#include "eval/scenes/scene_set.h"
#include "tests/support/process.h"
#include "tests/support/test_data.h"

namespace enigma::eval {
namespace {

Scene OneFigure(Shape shape) {
  Scene scene;
  scene.figures = {{shape, FigureColour::kRed, true, 500, 500, 250}};
  return scene;
}

// How red a pixel is: the background is white.
bool IsFigure(const engine::Image& picture, uint32_t x, uint32_t y) {
  const uint8_t* pixel = picture.pixel(x, y);
  return pixel[0] > 150 && pixel[1] < 120;
}

// Area of each shape as a share of the square around it.
TEST(ScenePictureTest, AreasAreThoseOfGeometry) {
  const std::pair<Shape, double> areas[] = {{Shape::kCircle, 0.7854}, {Shape::kSquare, 1},    {Shape::kTriangle, 0.5},
                                            {Shape::kDiamond, 0.5},   {Shape::kStar, 0.3086}, {Shape::kCross, 0.5511},
                                            {Shape::kRing, 0.5027},   {Shape::kMoon, 0.3824}};
  for (const auto& [shape, share] : areas) {
    const engine::Image picture = DrawPicture(OneFigure(shape), 400);
    size_t pixels = 0;
    for (uint32_t y = 0; y < 400; ++y) {
      for (uint32_t x = 0; x < 400; ++x) pixels += IsFigure(picture, x, y) ? 1 : 0;
    }
    EXPECT_NEAR(static_cast<double>(pixels) / 40000, share, 0.01) << NameOf(shape);
  }
}

TEST(ScenePictureTest, LaterFiguresCoverEarlierOnes) {
  Scene scene = OneFigure(Shape::kSquare);
  scene.figures.push_back({Shape::kSquare, FigureColour::kBlue, false, 500, 500, 100});
  const engine::Image picture = DrawPicture(scene, 64);
  EXPECT_TRUE(IsFigure(picture, 20, 20));
  EXPECT_FALSE(IsFigure(picture, 32, 32));
}

TEST(ScenePictureTest, BackgroundsDiffer) {
  std::vector<std::vector<uint8_t>> pictures;
  for (size_t i = 0; i < kBackgrounds; ++i) {
    Scene scene;
    scene.background = static_cast<Background>(i);
    const auto rgb = DrawPicture(scene, 32).rgb;
    for (const auto& other : pictures) EXPECT_NE(rgb, other);
    pictures.push_back(rgb);
  }
}

TEST(ScenePictureTest, PixelsAreTheseOnEveryMachine) {
  std::string pixels;
  for (uint64_t number = 0; number < 60; ++number) {
    const auto rgb = DrawPicture(MakeScene(1, number, number % 2 == 1), 64).rgb;
    pixels.append(rgb.begin(), rgb.end());
  }
  EXPECT_EQ(engine::HexOf(engine::Sha256Of(pixels)),
            "6f81b879e6e5cf4bf9f23bed6c184d3a546bb31ccd9c191b96d0977f21f9f611");
}

TEST(SceneSetTest, PicturesAndLinesBelongTogether) {
  const enigma::testing::TemporaryDirectory directory;
  const std::string folder = directory.path() + "/set";
  SceneSetOptions options;
  options.folder = folder;
  options.count = 25;
  options.seed = 4;
  options.size = 48;
  options.held_out = true;
  const auto bytes = WriteSceneSet(options);
  ASSERT_TRUE(bytes.ok()) << bytes.status().ToString();
  std::istringstream lines(enigma::testing::ReadFileOrDie(folder + "/captions.jsonl"));
  uint64_t number = 0, total = 0;
  for (std::string line; std::getline(lines, line); ++number) {
    total += line.size() + 1;
    const auto entry = nlohmann::json::parse(line);
    const std::string png = enigma::testing::ReadFileOrDie(folder + "/" + entry.at("image").get<std::string>());
    total += png.size();
    const auto picture = engine::DecodeImage({reinterpret_cast<const uint8_t*>(png.data()), png.size()});
    ASSERT_TRUE(picture.ok()) << picture.status().ToString();
    const Scene scene = MakeScene(4, number, true);
    EXPECT_EQ(picture->rgb, DrawPicture(scene, 48).rgb);
    EXPECT_EQ(entry.at("caption"), ChosenCaption(scene, 4, number));
    EXPECT_EQ(entry.at("captions"), SceneCaptions(scene));
    EXPECT_EQ(entry.at("facts").at("count"), scene.figures.size());
    EXPECT_EQ(entry.at("facts").at("figures").at(0).at("shape"), NameOf(scene.figures[0].shape));
  }
  EXPECT_EQ(number, 25U);
  EXPECT_EQ(total, *bytes);
  EXPECT_FALSE(std::filesystem::exists(folder + "/captions.jsonl.partial"));
  const auto again = WriteSceneSet(options);
  EXPECT_EQ(again.status().code(), absl::StatusCode::kAlreadyExists);
}

TEST(SceneSetTest, AFolderThatIsRefusedStaysAsItWas) {
  const enigma::testing::TemporaryDirectory directory;
  std::ofstream(directory.path() + "/notes.txt") << "mine";
  SceneSetOptions options;
  options.folder = directory.path();
  options.count = 1;
  EXPECT_EQ(WriteSceneSet(options).status().code(), absl::StatusCode::kAlreadyExists);
  EXPECT_FALSE(std::filesystem::exists(directory.path() + "/images"));
  options.folder += "/notes.txt";
  EXPECT_EQ(WriteSceneSet(options).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(SceneSetTest, LinesAreTheseOnEveryMachine) {
  std::string lines;
  for (uint64_t number = 0; number < 200; ++number) {
    const Scene scene = MakeScene(1, number, false);
    lines += SceneLine(scene, "i", ChosenCaption(scene, 1, number)) + "\n";
  }
  EXPECT_EQ(engine::HexOf(engine::Sha256Of(lines)), "a1f3ddce2cdc0881abe6a155df0ff2dd45edc15c61d0f4f6f557c7c38c958757");
}

}  // namespace
}  // namespace enigma::eval
