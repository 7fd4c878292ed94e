#include "eval/scenes/scene.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <map>
#include <set>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include <absl/strings/match.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/image/augmentation.h"
#include "eval/scenes/scene_captions.h"
#include "eval/scenes/scene_picture.h"

namespace enigma::eval {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;

constexpr uint64_t kSeed = 11;
constexpr uint64_t kScenes = 3000;

// Half a figure's extents, and the room that must be left between two of them.
int64_t Apart(const Figure& a, const Figure& b) {
  const int64_t dx = std::abs(int64_t{a.x} - b.x), dy = std::abs(int64_t{a.y} - b.y);
  return std::max(dx, dy) - a.radius - b.radius;
}

TEST(SceneTest, FiguresLieWithinThePictureAndApart) {
  for (uint64_t number = 0; number < kScenes; ++number) {
    const Scene scene = MakeScene(kSeed, number, number % 2 == 1);
    for (size_t i = 0; i < scene.figures.size(); ++i) {
      const Figure& figure = scene.figures[i];
      ASSERT_GE(figure.x, figure.radius + 15);
      ASSERT_GE(figure.y, figure.radius + 15);
      ASSERT_LE(figure.x + figure.radius, 985U);
      ASSERT_LE(figure.y + figure.radius, 985U);
      ASSERT_EQ(figure.is_large, figure.radius > 150);
      for (size_t j = 0; j < i; ++j) ASSERT_GE(Apart(figure, scene.figures[j]), 35) << number;
    }
  }
}

TEST(SceneTest, CropsKeepEveryFigureWhole) {
  const engine::AugmentationOptions options = {.side_min = kSceneCropSideMin};
  uint32_t shortest = 1000;
  for (uint64_t number = 0; number < kScenes; ++number) {
    const uint32_t side = std::array{64U, 80U, 1000U}[number % 3];
    const Scene scene = MakeScene(kSeed, number, false);
    const auto [region, flip] = engine::ChooseAugmentation(options, side, side, 3, number);
    if (side == 1000) shortest = std::min(shortest, region.width);
    for (const Figure& figure : scene.figures) {
      ASSERT_GE(uint64_t{side} * (figure.x - figure.radius), 1000 * uint64_t{region.x});
      ASSERT_GE(uint64_t{side} * (figure.y - figure.radius), 1000 * uint64_t{region.y});
      ASSERT_LE(uint64_t{side} * (figure.x + figure.radius), 1000 * uint64_t{region.x + region.width});
      ASSERT_LE(uint64_t{side} * (figure.y + figure.radius), 1000 * uint64_t{region.y + region.height});
    }
  }
  EXPECT_LE(shortest, 982U);  // something is cropped
}

std::vector<Figure> AllFigures() {
  std::vector<Figure> figures;
  for (size_t i = 0; i < kShapes * kFigureColours * 2; ++i) {
    figures.push_back({static_cast<Shape>(i / 2 % kShapes), static_cast<FigureColour>(i / 2 / kShapes), i % 2 == 1});
  }
  return figures;
}

// The numbers that data/scenes/README.md tells.
TEST(SceneTest, CombinationsAreSoMany) {
  const std::vector<Figure> all = AllFigures();
  std::unordered_set<std::string> facts[kSceneKinds];
  const auto add = [&](Scene scene, SceneKind kind, std::vector<Figure> figures) {
    scene.kind = kind;
    scene.figures = std::move(figures);
    facts[static_cast<size_t>(kind)].insert(scene.Facts());
  };
  for (size_t background = 0; background < kBackgrounds; ++background) {
    Scene scene;
    scene.background = static_cast<Background>(background);
    for (const Figure& figure : all) {
      add(scene, SceneKind::kSingle, {figure});
      for (size_t count = 2; count <= 5; ++count) add(scene, SceneKind::kCount, std::vector<Figure>(count, figure));
      for (const Figure& other : all) {
        if (figure.shape == other.shape && figure.colour == other.colour) continue;
        for (const Relation relation : {Relation::kLeftOf, Relation::kAbove}) {
          scene.relation = relation;
          add(scene, SceneKind::kPair, {figure, other});
        }
      }
    }
  }
  EXPECT_EQ(facts[0].size(), 768U);
  EXPECT_EQ(facts[1].size(), 193'536U);
  EXPECT_EQ(facts[2].size(), 1'536U);
  for (uint64_t number = 0; number < kScenes; ++number) {
    const Scene scene = MakeScene(kSeed, number, number % 2 == 1);
    ASSERT_TRUE(facts[static_cast<size_t>(scene.kind)].contains(scene.Facts())) << scene.Facts();
  }
}

TEST(SceneTest, RelationsAreWhatTheySay) {
  size_t pairs = 0;
  for (uint64_t number = 0; number < kScenes; ++number) {
    const Scene scene = MakeScene(kSeed, number, false);
    if (scene.kind != SceneKind::kPair) continue;
    ++pairs;
    ASSERT_EQ(scene.figures.size(), 2U);
    const Figure& a = scene.figures[0];
    const Figure& b = scene.figures[1];
    ASSERT_FALSE(a.shape == b.shape && a.colour == b.colour);
    const bool is_left = scene.relation == Relation::kLeftOf;
    const int64_t along = is_left ? int64_t{b.x} - a.x : int64_t{b.y} - a.y;
    const int64_t across = is_left ? int64_t{b.y} - a.y : int64_t{b.x} - a.x;
    ASSERT_GE(along, int64_t{a.radius} + b.radius + 40);
    ASSERT_LE(std::abs(across), 60);
  }
  EXPECT_NEAR(static_cast<double>(pairs), kScenes / 3.0, 150);
}

TEST(SceneTest, EverythingOccurs) {
  std::map<std::string, size_t> seen;
  for (uint64_t number = 0; number < kScenes; ++number) {
    const Scene scene = MakeScene(kSeed, number, false);
    ++seen[std::string(NameOf(scene.background))];
    if (scene.kind == SceneKind::kCount) ++seen[std::to_string(scene.figures.size())];
    ++seen[std::string(NameOf(scene.figures[0].shape))];
    ++seen[std::string(NameOf(scene.figures[0].colour))];
  }
  EXPECT_EQ(seen.size(), kBackgrounds + 4 + kShapes + kFigureColours);
  for (const auto& [name, count] : seen) EXPECT_GE(count, 180U) << name;
}

TEST(SceneTest, WhatIsHeldOutIsInNoTrainingSet) {
  std::set<std::string> trained, held_out;
  for (uint64_t number = 0; number < kScenes; ++number) {
    trained.insert(MakeScene(kSeed, number, false).Facts());
    held_out.insert(MakeScene(kSeed + number % 3, number, true).Facts());
  }
  for (const std::string& facts : held_out) EXPECT_FALSE(trained.contains(facts)) << facts;
  EXPECT_GE(held_out.size(), 400U);
}

TEST(SceneTest, HeldOutIsDecidedByWhatCaptionsTell) {
  std::map<std::vector<std::string>, std::string> facts_of;
  for (uint64_t number = 0; number < kScenes; ++number) {
    const Scene scene = MakeScene(kSeed, number, false);
    const auto [at, is_new] = facts_of.try_emplace(SceneCaptions(scene), scene.Facts());
    EXPECT_EQ(at->second, scene.Facts());
  }
  std::set<std::string> facts;
  for (const auto& entry : facts_of) facts.insert(entry.second);
  EXPECT_EQ(facts.size(), facts_of.size());  // and the other way round: no two combinations are told alike
}

TEST(SceneCaptionsTest, TellEverything) {
  Scene scene;
  scene.background = Background::kStriped;
  scene.figures = {{Shape::kStar, FigureColour::kOrange, true, 500, 500, 200}};
  EXPECT_THAT(SceneCaptions(scene), ElementsAre("a large orange star on a striped background",
                                                "there is a large orange star on a striped background",
                                                "a striped background with a large orange star",
                                                "on a striped background there is a large orange star",
                                                "the picture shows a large orange star on a striped background"));
  scene.kind = SceneKind::kPair;
  scene.figures.push_back({Shape::kRing, FigureColour::kBlue, false, 800, 500, 100});
  EXPECT_THAT(SceneCaptions(scene), Contains("a small blue ring right of a large orange star on a striped background"));
  scene.relation = Relation::kAbove;
  EXPECT_THAT(SceneCaptions(scene), Contains("on a striped background a large orange star is above a small blue ring"));
  scene.kind = SceneKind::kCount;
  scene.figures.assign(3, {Shape::kCross, FigureColour::kPink, false, 0, 0, 0});
  EXPECT_THAT(SceneCaptions(scene), Contains("on a striped background there are three pink crosses"));
}

TEST(SceneCaptionsTest, EveryWordingIsChosenNowAndThen) {
  std::map<std::string, size_t> chosen;
  const Scene scene = MakeScene(kSeed, 3, false);
  for (uint64_t number = 0; number < 600; ++number) ++chosen[ChosenCaption(scene, kSeed, number)];
  EXPECT_EQ(chosen.size(), SceneCaptions(scene).size());
  for (const auto& [caption, count] : chosen) EXPECT_GE(count, 60U) << caption;
}

}  // namespace
}  // namespace enigma::eval
