#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace enigma::eval {

enum class SceneKind {
  kSingle,  // one figure, small or large
  kPair,    // two that differ in colour or shape, one left of or above the other
  kCount,   // two to five figures of one colour and shape, all small
};
enum class Shape { kCircle, kSquare, kTriangle, kDiamond, kStar, kCross, kRing, kMoon };
enum class FigureColour { kRed, kGreen, kBlue, kYellow, kOrange, kPurple, kPink, kBrown };
enum class Background { kWhite, kGrey, kBlack, kBeige, kStriped, kChecked };
enum class Relation { kLeftOf, kAbove };
inline constexpr size_t kSceneKinds = 3, kShapes = 8, kFigureColours = 8, kBackgrounds = 6;

std::string_view NameOf(SceneKind kind);       // "pair"
std::string_view NameOf(Shape shape);          // "circle"
std::string_view NameOf(FigureColour colour);  // "red"
std::string_view NameOf(Background background);
std::string_view NameOf(Relation relation);  // "left of"

// Lengths in thousandths of the picture's side, from its top left corner.
struct Figure {
  Shape shape = Shape::kCircle;
  FigureColour colour = FigureColour::kRed;
  bool is_large = false;
  uint32_t x = 0;  // of its centre
  uint32_t y = 0;
  uint32_t radius = 0;  // half of its width and height
};

// Figures keep 20 thousandths from the picture's edge: crops that keep this share of each side (engine/image/
// augmentation.h) keep every figure whole, and so captions right.
inline constexpr float kSceneCropSideMin = 0.98F;

// What a picture shows. Where figures stand, and how their colours vary, no caption tells.
struct Scene {
  SceneKind kind = SceneKind::kSingle;
  Background background = Background::kWhite;
  std::vector<Figure> figures;            // of a pair the left or upper one first
  Relation relation = Relation::kLeftOf;  // of a pair
  uint64_t tint = 0;                      // seeds the variation of colours

  // All that a caption tells, in one wording: of scenes with the same facts either all are held out or none.
  std::string Facts() const;
  bool IsHeldOut() const;
};

// The `number`th scene of a seed, the same on every machine: of those that are held out, one combination of facts in
// ten (eval/held_out.h), or of the others.
Scene MakeScene(uint64_t seed, uint64_t number, bool held_out);

}  // namespace enigma::eval
